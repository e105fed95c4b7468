// ---- Curves over the epochs ----

/** A chart that follows its box and the page's colours; `options` is called whenever it has to be drawn anew. */
const draw = (box, options) => {
  const chart = echarts.init(box);
  const again = () => chart.setOption(options(), { replaceMerge: ["series"] });
  again();
  dark.addEventListener("change", again);
  new ResizeObserver(() => chart.resize()).observe(box);
  return chart;
};

const tooltip = () => ({
  confine: true,
  backgroundColor: colour("surface"),
  borderColor: colour("line"),
  textStyle: { color: colour("text") },
});
const axis = (more) => ({
  type: "value",
  axisLabel: { color: colour("muted"), hideOverlap: true },
  axisLine: { show: true, lineStyle: { color: colour("line") } },
  splitLine: { lineStyle: { color: colour("line"), opacity: 0.6 } },
  nameTextStyle: { color: colour("muted") },
  ...more,
});

const totalEpochs = Math.max(1, ...runs.flatMap((run) => [run.start.config.epochs ?? 1, ...run.epochs.map((epoch) => epoch.epoch)]));

/**
 * A figure of lines. A line has a name, a colour, places [epoch, value, point of its run or nothing] and its run;
 * `format` writes values.
 */
const curve = (caption, lines, format, ticks = format) => {
  const shown = lines.filter((line) => line.places.some(([, value]) => value != null));
  if (shown.length === 0) return;
  const box = element("div", { className: "chart" });
  $("curves").append(element("figure", {}, element("figcaption", {}, caption), box));
  const isLong = shown.length > 4;
  const chart = draw(box, () => ({
    animation: false,
    aria: { enabled: true, label: { description: `${caption} over the epochs: ${describe(shown, format)}` } },
    grid: { left: 8, right: 16, top: shown.length > 1 ? 34 : 14, bottom: 24, containLabel: true },
    legend: {
      show: shown.length > 1,
      type: isLong ? "scroll" : "plain",
      top: 0,
      left: 0,
      icon: "roundRect",
      itemWidth: 14,
      itemHeight: 4,
      textStyle: { color: colour("text") },
      pageTextStyle: { color: colour("muted") },
      pageIconColor: colour("text"),
    },
    tooltip: { ...tooltip(), trigger: "axis", formatter: (items) => curveTip(items, shown, format) },
    xAxis: axis({ name: "epochs", nameLocation: "middle", nameGap: 26, min: 0, max: totalEpochs, splitLine: { show: false } }),
    yAxis: axis({ scale: true, axisLabel: { color: colour("muted"), formatter: ticks, hideOverlap: true } }),
    series: shown.map((line) => ({
      name: line.name,
      type: "line",
      color: colour(line.colour),
      data: line.places,
      encode: { x: 0, y: 1 },
      showSymbol: Boolean(line.marked) || line.places.length < 3,
      symbol: line.level ? "none" : "circle",
      symbolSize: 7,
      lineStyle: { width: line.level ? 1.5 : 2, type: line.level ? "dotted" : line.marked ? "dashed" : "solid" },
      emphasis: { disabled: true },
    })),
  }));
  chart.group = "curves";
};
const describe = (lines, format) =>
  lines.map(({ name, places }) => `${name} from ${format(places[0][1])} to ${format(places.at(-1)[1])}`).join(", ");
const curveTip = (items, lines, format) => {
  const rows = items.map((item) => [lines[item.seriesIndex].name, format(item.value[1])]);
  const at = items.find((item) => item.value[2] !== undefined);
  if (at !== undefined && !several) {
    const point = lines[at.seriesIndex].run.points[at.value[2]];
    rows.push(["batches", plain.format(point.step)], ["words", compact.format(point.words)], ["time", duration(point.seconds)]);
  }
  return tip(`epoch ${plain.format(items[0].value[0])}`, rows);
};

/** The name of a run's line: the run's where there are several, and what it shows where the run has more. */
const lineName = (run, what, isMain) => (several ? (isMain ? run.name : `${run.name}, ${what}`) : what);
const overTime = (what, value) =>
  runs.map((run, index) => ({
    name: lineName(run, what, true),
    colour: COLOURS[index],
    run,
    places: run.points.map((point, at) => [point.epoch, value(point), at]),
  }));
const byEpoch = (what, value, colourAt, isMain = false) =>
  runs.map((run, index) => ({
    name: lineName(run, what, isMain),
    colour: COLOURS[several ? index : colourAt],
    run,
    marked: true,
    places: run.epochs.map((epoch) => [epoch.epoch, value(epoch)]).filter(([, value]) => value != null),
  }));
/** A level line for each different loss at chance. */
const chanceLines = () =>
  [...new Set(runs.map(chance).filter((value) => value != null))].map((value) => ({
    name: "at chance",
    colour: "muted",
    level: true,
    places: [
      [0, value],
      [totalEpochs, value],
    ],
  }));

const lossName = `Loss per ${[...new Set(runs.map(example))].join(" or ")}`;
curve(
  lossName,
  [
    ...overTime("training", (point) => point.loss),
    ...(several ? [] : byEpoch("mean of an epoch", (epoch) => epoch.loss, 1)),
    ...byEpoch("validation", (epoch) => epoch.validation, 2),
    ...chanceLines(),
  ],
  loss,
  significant.format,
);
curve("Words per second", overTime("words per second", (point) => point.words_per_second), (value) => compact.format(value));
curve("Learning rate", overTime("learning rate", (point) => point.lr), rate);
const tests = [...new Set(runs.flatMap((run) => run.epochs.flatMap((epoch) => epoch.evaluation.map(testName))))];
const scoreLines = (test, index) =>
  byEpoch(test, (epoch) => epoch.evaluation.find((score) => testName(score) === test)?.score, index % COLOURS.length, true);
if (several) tests.forEach((test, index) => curve(test, scoreLines(test, index), (value) => value.toFixed(3), significant.format));
else curve("Evaluation", tests.flatMap(scoreLines), (value) => value.toFixed(3), significant.format);
echarts.connect("curves");
