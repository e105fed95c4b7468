"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { start, end, points, epochs, map } = data;
  const $ = (id) => document.getElementById(id);

  /** An element with properties and children; strings become text and never markup. */
  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  // ---- Numbers as people read them ----

  const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
  const significant = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
  const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
  const loss = (value) => (value == null ? "–" : value.toFixed(4));
  const rate = (value) => (value < 1e-4 && value > 0 ? value.toExponential(2) : significant.format(value));
  const duration = (seconds) => {
    if (seconds < 60) return `${significant.format(Number(seconds.toFixed(seconds < 1 ? 3 : 1)))} s`;
    const whole = Math.round(seconds);
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${rest} s`;
  };
  const bytes = (value) => (value < 1e6 ? `${plain.format(value / 1e3)} kB` : `${plain.format(value / 1e6)} MB`);

  // ---- Colours of the page for the charts ----

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const COLOURS = ["first", "second", "third", "fourth"];
  const drawings = [];
  /** A chart that follows its box and the page's colours; `options` is called whenever it has to be drawn anew. */
  const draw = (box, options) => {
    const chart = echarts.init(box);
    const again = () => chart.setOption(options(chart), { replaceMerge: ["series"] });
    again();
    drawings.push(again);
    new ResizeObserver(() => chart.resize()).observe(box);
    return { chart, again };
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawings.forEach((again) => again()));

  const tooltip = () => ({
    confine: true,
    backgroundColor: colour("surface"),
    borderColor: colour("line"),
    textStyle: { color: colour("text") },
  });
  const tip = (title, rows) =>
    element(
      "div",
      { className: "tip" },
      element("strong", {}, element("bdi", {}, title)),
      ...rows.map(([name, value]) => element("div", {}, element("span", {}, name), element("span", {}, value))),
    );
  const axis = (more) => ({
    type: "value",
    axisLabel: { color: colour("muted"), hideOverlap: true },
    axisLine: { show: true, lineStyle: { color: colour("line") } },
    splitLine: { lineStyle: { color: colour("line"), opacity: 0.6 } },
    nameTextStyle: { color: colour("muted") },
    ...more,
  });

  // ---- Curves over the epochs ----

  const totalEpochs = Math.max(1, start.config.epochs ?? 1, ...epochs.map((epoch) => epoch.epoch));

  /** A figure of lines, each with a name and places [epoch, value, point or nothing]; `format` writes values. */
  const curve = (caption, lines, format, ticks = format) => {
    const shown = lines.filter((line) => line.places.some(([, value]) => value != null));
    if (shown.length === 0) return;
    const box = element("div", { className: "chart" });
    $("curves").append(element("figure", {}, element("figcaption", {}, caption), box));
    const { chart } = draw(box, () => ({
      animation: false,
      aria: { enabled: true, label: { description: `${caption} over the epochs: ${describe(shown, format)}` } },
      color: COLOURS.map(colour),
      grid: { left: 8, right: 16, top: shown.length > 1 ? 34 : 14, bottom: 24, containLabel: true },
      legend: { show: shown.length > 1, top: 0, left: 0, icon: "roundRect", itemWidth: 14, itemHeight: 4, textStyle: { color: colour("text") } },
      tooltip: { ...tooltip(), trigger: "axis", formatter: (items) => curveTip(items, shown, format) },
      xAxis: axis({ name: "epochs", nameLocation: "middle", nameGap: 26, min: 0, max: totalEpochs, splitLine: { show: false } }),
      yAxis: axis({ scale: true, axisLabel: { color: colour("muted"), formatter: ticks, hideOverlap: true } }),
      series: shown.map((line) => ({
        name: line.name,
        type: "line",
        data: line.places,
        encode: { x: 0, y: 1 },
        showSymbol: line.marked || line.places.length < 3,
        symbol: "circle",
        symbolSize: 7,
        lineStyle: { width: 2, type: line.marked ? "dashed" : "solid" },
        emphasis: { disabled: true },
      })),
    }));
    chart.group = "curves";
  };
  const describe = (lines, format) =>
    lines.map(({ name, places }) => `${name} from ${format(places[0][1])} to ${format(places.at(-1)[1])}`).join(", ");
  const curveTip = (items, lines, format) => {
    const rows = items.map((item) => [lines[item.seriesIndex].name, format(item.value[1])]);
    const at = items.map((item) => item.value[2]).find((point) => point !== undefined);
    if (at !== undefined) {
      const point = points[at];
      rows.push(["batches", plain.format(point.step)], ["words", compact.format(point.words)], ["time", duration(point.seconds)]);
    }
    return tip(`epoch ${plain.format(items[0].value[0])}`, rows);
  };

  const overTime = (name, value) => ({ name, places: points.map((point, index) => [point.epoch, value(point), index]) });
  const byEpoch = (name, value) => ({
    name,
    marked: true,
    places: epochs.map((epoch) => [epoch.epoch, value(epoch)]).filter(([, value]) => value != null),
  });
  // What has one loss: a (center, context) pair, or in CBOW a window.
  const lossName = `Loss per ${start.config.model === "cbow" ? "window" : "pair"}`;
  curve(
    lossName,
    [
      overTime("training", (point) => point.loss),
      byEpoch("mean of an epoch", (epoch) => epoch.loss),
      byEpoch("validation", (epoch) => epoch.validation),
    ],
    loss,
    significant.format,
  );
  curve("Words per second", [overTime("words per second", (point) => point.words_per_second)], (value) => compact.format(value));
  curve("Learning rate", [overTime("learning rate", (point) => point.lr)], rate);
  const tests = [...new Set(epochs.flatMap((epoch) => Object.keys(epoch.evaluation)))];
  const scores = tests.map((name) => byEpoch(name, (epoch) => epoch.evaluation[name]));
  curve("Evaluation", scores, (value) => value.toFixed(3), significant.format);
  echarts.connect("curves");

  // ---- Heading, figures, tables ----

  const fileName = (path) => path.split(/[\\/]/).pop();
  $("title").textContent = fileName(start.output);
  document.title = `${fileName(start.output)} – w2v-gpu run`;
  $("subtitle").textContent = `${start.engine}, started ${start.started.replace("T", " ").replace("Z", " UTC")}`;
  $("program").textContent = start.program;
  $("unfinished").hidden = end !== null;
  const { ending, epochs: done, model_epoch: taken, words: seen } = end?.training ?? {};
  const kept = taken + 1 < done || ending === "early" ? `The vectors are those of epoch ${taken + 1}, whose loss of held-out sentences is the lowest.` : "";
  const endings = {
    early: `Stopped early after epoch ${done} of ${start.config.epochs}, as --patience ${start.config.patience} asks.`,
    interrupted: `Interrupted after ${compact.format(seen)} words: the vectors are those of an unfinished run.`,
  };
  const how = [endings[ending], kept].filter(Boolean).join(" ");
  $("ending").hidden = how === "";
  $("ending").textContent = how;
  $("no-reports").hidden = points.length > 0;
  if (data.reports_per_point > 1) {
    $("averaged").hidden = false;
    $("averaged").textContent = `Each point is the mean of ${plain.format(data.reports_per_point)} reports.`;
  }

  const latest = (list, value) => list.map(value).findLast((value) => value != null);
  const trained = end?.training.words ?? points.at(-1)?.words;
  const seconds = end?.training.elapsed ?? points.at(-1)?.seconds;
  const figures = [
    // Those of the epoch whose vectors were kept.
    [end ? `${lossName}, epoch ${taken + 1}` : lossName, loss(end?.training.loss ?? latest(epochs, (epoch) => epoch.loss) ?? latest(points, (point) => point.loss))],
    [end ? `Validation loss, epoch ${taken + 1}` : "Validation loss", (end ? end.training.validation : latest(epochs, (epoch) => epoch.validation))?.toFixed(4)],
    ["Words per second", trained && seconds && compact.format(trained / seconds)],
    ["Training time", seconds && duration(seconds)],
    ["Words trained", trained && compact.format(trained)],
    ["Vocabulary", start.prepared.vocabulary && plain.format(start.prepared.vocabulary)],
    ["Dimensions", start.config.dim && plain.format(start.config.dim)],
  ];
  for (const [name, value] of figures) {
    if (value) $("figures").append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  }

  const table = (title, rows) => {
    if (rows.length === 0) return;
    const cells = rows.map(([name, value]) =>
      element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, element("bdi", {}, value))),
    );
    $("tables").append(element("div", { className: "table" }, element("h2", {}, title), element("table", {}, element("tbody", {}, ...cells))));
  };
  const words = (name) => name.replaceAll("_", " ");
  const anything = (value) => {
    if (value === null) return "not set";
    if (value === true) return "on";
    if (value === false) return "off";
    if (typeof value === "number") return Number.isInteger(value) ? plain.format(value) : String(value);
    return typeof value === "string" ? value : JSON.stringify(value);
  };

  const corpusRows = () => {
    const { text = {}, selection = {}, ...rest } = start.prepared;
    const known = {
      bytes: ["size of the text", bytes],
      lines: ["lines", plain.format],
      words: ["words in the text", plain.format],
      different: ["different words", plain.format],
      undercount: ["counts are low by at most", plain.format],
      stop_words: ["different stop words", plain.format],
      stopped: ["stop words left out", plain.format],
      absent: ["words to keep, not found", plain.format],
      vocabulary: ["words in the vocabulary", plain.format],
      tokens: ["occurrences of these, trained on", plain.format],
      held_out: ["occurrences held out", plain.format],
      kept: ["kept by subsampling", (value) => `${plain.format(Math.round(value))} (${percent.format(value / rest.tokens)})`],
      invalid_utf8: ["words with broken UTF-8, mended", plain.format],
      long_words: ["words left out: too long", plain.format],
      cuts: ["cuts in lines too long", plain.format],
    };
    const rows = Object.entries({ ...text, ...selection, ...rest }).map(([name, value]) => {
      const at = Object.keys(known).indexOf(name);
      const [label, format] = known[name] ?? [words(name), anything];
      return [at < 0 ? Infinity : at, label, format(value)];
    });
    if (text.words >= rest.tokens) {
      const left = text.words - rest.tokens - (rest.held_out ?? 0);
      rows.push([10.5, "words left out: not in the vocabulary", `${plain.format(left)} (${percent.format(left / Math.max(1, text.words))})`]);
    }
    return rows.sort((a, b) => a[0] - b[0]).map(([, label, value]) => [label, value]);
  };
  table("Text", corpusRows());
  table("Settings", Object.entries(start.config).map(([name, value]) => [`--${name.replaceAll("_", "-")}`, anything(value)]));
  const stages = ["prepare", "start", "train", "of_it_waiting_for_batches", "write"];
  const place = (name) => (stages.includes(name) ? stages.indexOf(name) : stages.length);
  table(
    "Time",
    Object.entries(end?.seconds ?? {})
      .filter(([, value]) => typeof value === "number")
      .sort(([a], [b]) => place(a) - place(b))
      .map(([name, value]) => [words(name), duration(value)]),
  );
  table("Machine and files", [
    ["engine", start.engine],
    ["logical processors", plain.format(start.hardware.cores)],
    ["threads", plain.format(start.hardware.threads)],
    ["system", start.hardware.system],
    ...start.corpus.slice(0, 20).map((path) => ["corpus", path]),
    ...(start.corpus.length > 20 ? [["", `and ${plain.format(start.corpus.length - 20)} more files`]] : []),
    ["vectors", end?.output ?? start.output],
  ]);

  // ---- The map of words ----

  $("no-map").hidden = map !== null;
  if (map === null) return;
  $("explorer").hidden = false;
  let layout = map.tsne ? "tsne" : "pca";
  let selected = null;
  const layouts = [...document.querySelectorAll("input[name=layout]")];
  const size = (id) => 3 + 5 / (1 + id / 100);
  const dot = (id) => ({ id, value: map[layout][id], symbolSize: size(id) });
  const word = (item) => map.words[item.data.id];
  // Where labels overlap, that of the larger dot stays, and of equal ones the first.
  const ids = map.words.map((_, id) => id);

  /** What part of each axis is in view, in percent. */
  const inView = (chart) => chart.getOption()?.dataZoom?.map(({ start, end }) => ({ start, end })) ?? [WHOLE, WHOLE];
  const WHOLE = { start: 0, end: 100 };
  // The labels stand to the right of their dots.
  const RANGES = [{ min: -1.04, max: 1.12 }, { min: -1.04, max: 1.04 }];
  const zoomed = ([{ start, end }]) => end - start < 99;

  const { chart, again } = draw($("map"), (chart) => {
    const near = selected === null ? [] : map.neighbors[selected].map(([id]) => id);
    const zoom = inView(chart);
    const hidden = (range) => axis({ ...range, show: false });
    const halo = { textBorderColor: colour("surface"), textBorderWidth: 3 };
    const label = { show: true, position: "right", distance: 3, color: colour("text"), fontSize: 12, formatter: word, ...halo };
    return {
      animation: false,
      aria: { enabled: true, label: { description: `A map of ${plain.format(ids.length)} words; the search field above lists the nearest words of each.` } },
      grid: { left: 0, right: 0, top: 0, bottom: 0 },
      tooltip: { ...tooltip(), formatter: (item) => tip(word(item), [["rank", plain.format(item.data.id + 1)]]) },
      xAxis: hidden(RANGES[0]),
      yAxis: hidden(RANGES[1]),
      dataZoom: [0, 1].map((index) => ({
        type: "inside",
        [index === 0 ? "xAxisIndex" : "yAxisIndex"]: 0,
        ...zoom[index],
        minSpan: 1,
        moveOnMouseWheel: false,
        // The whole map cannot be moved: a finger on it scrolls the page.
        moveOnMouseMove: zoomed(zoom),
        preventDefaultMouseMove: zoomed(zoom),
      })),
      series: [
        {
          type: "scatter",
          data: ids.filter((id) => id !== selected && !near.includes(id)).map(dot),
          progressive: 0,
          itemStyle: { color: colour("first"), opacity: selected === null ? 0.5 : 0.25 },
          label: { ...label, minMargin: 8, opacity: selected === null ? 1 : 0.45 },
          labelLayout: { hideOverlap: true },
        },
        {
          type: "scatter",
          data: near.map((id) => ({ ...dot(id), symbolSize: 9 })),
          itemStyle: { color: colour("second") },
          label: { ...label, fontWeight: "bold" },
          labelLayout: { hideOverlap: true },
          z: 3,
        },
        {
          type: "scatter",
          data: selected === null ? [] : [{ ...dot(selected), symbolSize: 14 }],
          itemStyle: { color: colour("second"), borderColor: colour("text"), borderWidth: 2 },
          label: { ...label, fontWeight: "bold", fontSize: 15, position: "top" },
          labelLayout: { hideOverlap: true },
          z: 4,
        },
      ],
    };
  });

  // The wheel alone scrolls the page; the charts would keep it to themselves.
  for (const type of ["wheel", "mousewheel"]) {
    $("map").addEventListener(type, (event) => event.ctrlKey || event.stopPropagation(), { capture: true });
  }
  const show = (middles, spans) => {
    const view = middles.map((middle, index) => {
      const span = Math.min(100, Math.max(1, spans[index]));
      const start = Math.min(100 - span, Math.max(0, middle - span / 2));
      return { dataZoomIndex: index, start, end: start + span };
    });
    chart.dispatchAction({ type: "dataZoom", batch: view });
  };
  const view = () => {
    const shown = inView(chart);
    return [shown.map(({ start, end }) => (start + end) / 2), shown.map(({ start, end }) => end - start)];
  };
  const zoomBy = (factor) => {
    const [middles, spans] = view();
    show(middles, spans.map((span) => span * factor));
  };
  $("zoom-in").addEventListener("click", () => zoomBy(0.6));
  $("zoom-out").addEventListener("click", () => zoomBy(1 / 0.6));
  $("zoom-reset").addEventListener("click", () => show([50, 50], [100, 100]));
  let movable = false;
  chart.on("datazoom", () => {
    if (movable !== zoomed(inView(chart))) {
      movable = !movable;
      again();
    }
  });

  const select = (id) => {
    selected = id;
    again();
    $("hint").hidden = true;
    $("selected").replaceChildren("Nearest to ", element("bdi", {}, map.words[id]));
    const entries = map.neighbors[id].map(([near, cosine]) => {
      const button = element(
        "button",
        { type: "button" },
        element("bdi", {}, map.words[near]),
        element("span", { className: "cosine" }, cosine.toFixed(3)),
      );
      button.style.setProperty("--share", `${Math.max(0, cosine) * 100}%`);
      button.addEventListener("click", () => {
        go(near);
        $("neighbors").querySelector("button")?.focus();
      });
      return element("li", {}, button);
    });
    $("neighbors").replaceChildren(...entries);
  };
  /** Selects a word and moves the map to it if it is out of view. */
  const go = (id) => {
    select(id);
    const [middles, spans] = view();
    const place = map[layout][id].map((value, axis) => (100 * (value - RANGES[axis].min)) / (RANGES[axis].max - RANGES[axis].min));
    const outside = place.some((value, index) => Math.abs(value - middles[index]) > spans[index] / 2.2);
    if (outside) show(place, spans);
  };
  chart.on("click", (item) => select(item.data.id));

  for (const input of layouts) {
    input.checked = input.value === layout;
    input.disabled = map[input.value] === null;
    input.addEventListener("change", () => {
      layout = input.value;
      again();
    });
  }
  $("about-map").textContent =
    `The ${plain.format(ids.length)} most frequent words, larger dots for more frequent ones; nearest words are among these, ` +
    "by the cosine of their vectors. Distances on the map only hint at them. Pinch, or turn the wheel while holding Ctrl, " +
    "to zoom; drag to move.";

  // ---- Search ----

  const MATCHES = 8;
  const folded = map.words.map((text) => text.toLowerCase());
  const find = (text) => {
    const wanted = text.toLowerCase();
    const rank = (id) => (folded[id] === wanted ? 0 : folded[id].startsWith(wanted) ? 1 : 2);
    const found = ids.filter((id) => folded[id].includes(wanted));
    return found.sort((a, b) => rank(a) - rank(b) || a - b).slice(0, MATCHES);
  };
  let matches = [];
  let active = 0;
  const close = () => {
    $("matches").hidden = true;
    $("query").setAttribute("aria-expanded", "false");
    $("query").removeAttribute("aria-activedescendant");
  };
  const mark = () => {
    if (matches.length === 0) return;
    [...$("matches").children].forEach((entry, index) => entry.setAttribute("aria-selected", String(index === active)));
    $("query").setAttribute("aria-activedescendant", `match-${active}`);
  };
  const list = () => {
    const text = $("query").value.trim();
    if (text === "") return close();
    matches = find(text);
    active = 0;
    const entries = matches.map((id, index) => {
      const entry = element("li", { id: `match-${index}`, role: "option" }, element("bdi", {}, map.words[id]));
      entry.addEventListener("pointerdown", (event) => event.preventDefault());
      entry.addEventListener("click", () => choose(id));
      return entry;
    });
    const none = element("li", { role: "option", ariaDisabled: "true" }, `none of these ${plain.format(ids.length)} words`);
    $("matches").replaceChildren(...(entries.length > 0 ? entries : [none]));
    $("matches").hidden = false;
    $("query").setAttribute("aria-expanded", "true");
    $("query").removeAttribute("aria-activedescendant");
    mark();
  };
  const choose = (id) => {
    $("query").value = map.words[id];
    close();
    go(id);
  };
  $("query").addEventListener("input", list);
  $("query").addEventListener("focus", list);
  $("query").addEventListener("blur", close);
  $("query").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && !$("matches").hidden) close();
    else if (event.key === "Enter" && matches.length > 0 && !$("matches").hidden) choose(matches[active]);
    else if (step && $("matches").hidden) list();
    else if (step && matches.length > 0) {
      active = (active + step + matches.length) % matches.length;
      mark();
    } else return;
    event.preventDefault();
  });
})();
