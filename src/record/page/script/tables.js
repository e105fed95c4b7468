// ---- Heading ----

const first = runs[0];
const heading = several ? `${runs.length} runs` : fileName(first.start.output);
$("title").textContent = heading;
document.title = `${several ? runs.map((run) => run.name).join(", ") : heading} – w2v-gpu`;
$("subtitle").textContent = several
  ? "Their curves over each other, and their settings side by side."
  : `${first.start.engine}, started ${first.start.started.replace("T", " ").replace("Z", " UTC")}`;
document.body.classList.toggle("several", several);
$("program").textContent = [...new Set(runs.map((run) => run.start.program))].join(", ");

const note = (run) => {
  const said = several ? `${run.name}: ` : "";
  const { config } = run.start;
  if (run.end === null) {
    const anew = data.reload
      ? `The page is made anew every ${data.reload} seconds, and shows the newest by itself.`
      : "Of a run that goes on, w2v-gpu report --follow keeps the page up to date.";
    return `${said}This run did not finish, or goes on still: here is what it recorded until then. ${anew}`;
  }
  const { ending, epochs: done, model_epoch: taken, words: seen } = run.end.training;
  const kept = taken + 1 < done || ending === "early" ? `The vectors are those of epoch ${taken + 1}, whose loss of held-out sentences is the lowest.` : "";
  const endings = {
    early: `Stopped early after epoch ${done} of ${config.epochs}, as --patience ${config.patience} asks.`,
    interrupted: `Interrupted after ${compact.format(seen)} words: the vectors are those of an unfinished run.`,
  };
  const how = [endings[ending], kept].filter(Boolean).join(" ");
  return how && said + how;
};
for (const run of runs) {
  const text = note(run);
  if (text) $("notes").append(element("p", { className: run.end ? "ending" : "unfinished" }, text));
}
if (data.reload) setTimeout(() => location.reload(), data.reload * 1000);

$("no-reports").hidden = runs.some((run) => run.points.length > 0);
const averaged = runs.filter((run) => run.reports_per_point > 1);
$("averaged").hidden = averaged.length === 0;
$("averaged").textContent = averaged
  .map((run) => `${several ? `${run.name}: e` : "E"}ach point is the mean of ${plain.format(run.reports_per_point)} reports.`)
  .join(" ");

// ---- The commands ----

/** Copies a text, or where that is not allowed marks it, so that a key copies it. */
const copy = async (text, from) => {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied";
  } catch {
    getSelection().selectAllChildren(from);
    return document.execCommand("copy") ? "Copied" : "Press Ctrl+C";
  }
};
runs.forEach((run, index) => {
  const code = element("code", { tabIndex: 0 }, run.command);
  const button = element("button", { type: "button" }, "Copy");
  button.setAttribute("aria-label", several ? `Copy the command of ${run.name}` : "Copy the command");
  button.addEventListener("click", async () => {
    const said = await copy(run.command, code);
    button.textContent = said;
    $("copied").textContent = said;
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  const name = several ? [element("span", { className: "run" }, swatch(index), element("bdi", {}, run.name))] : [];
  $("commands").append(element("div", { className: "command" }, ...name, code, button));
});

// ---- Figures: tiles of one run, a table of several ----

const scoreText = (score) => (score == null ? "–" : score.toFixed(4));
const figuresOf = (run) => {
  const { start, end, points, epochs } = run;
  const of = end ? `, epoch ${keptEpoch(run)}` : "";
  const trained = end?.training.words ?? points.at(-1)?.words;
  const seconds = end?.training.elapsed ?? points.at(-1)?.seconds;
  const level = chance(run);
  return [
    // The losses of the epoch whose vectors were kept.
    [`Loss per ${example(run)}`, loss(end?.training.loss ?? latest(epochs, (epoch) => epoch.loss) ?? latest(points, (point) => point.loss)), of, level && `${loss(level)} at chance`],
    ["Validation loss", (end ? end.training.validation : latest(epochs, (epoch) => epoch.validation))?.toFixed(4), of],
    ...scoresOf(run).map((score) => [testName(score), scoreText(score.score), "", `${plain.format(score.found)} of ${plain.format(score.total)} found`]),
    ["Words per second", trained && seconds && compact.format(trained / seconds)],
    ["Training time", seconds && duration(seconds)],
    ["Words trained", trained && compact.format(trained)],
    ["Vocabulary", start.prepared.vocabulary && plain.format(start.prepared.vocabulary)],
    ["Dimensions", start.config.dim && plain.format(start.config.dim)],
  ].filter(([, value]) => value);
};
if (!several) {
  for (const [name, value, of = "", under] of figuresOf(first)) {
    const more = under ? [element("dd", { className: "under" }, under)] : [];
    $("figures").append(element("div", {}, element("dt", {}, name + of), element("dd", {}, value), ...more));
  }
}

// ---- Tables ----

/** A row: its label and a value for each run, or one value where all runs have the same. */
const row = (label, values, { mark = false } = {}) => {
  const cell = (value, span) =>
    element("td", { colSpan: span }, ...(value instanceof Node ? [value] : [element("bdi", {}, value ?? "–")]));
  const isSame = values.every((value) => value === values[0]);
  const cells = isSame ? [cell(values[0], values.length)] : values.map((value) => cell(value, 1));
  return element("tr", { className: [mark ? "marked" : "", isSame ? "same" : ""].join(" ").trim() }, element("th", { scope: "row" }, label), ...cells);
};
const runsHead = () =>
  element(
    "thead",
    {},
    element("tr", {}, element("td", {}), ...runs.map((run, index) => element("th", { scope: "col" }, swatch(index), element("bdi", {}, run.name)))),
  );
/** A table of groups [title or nothing, rows] at the end of `place`; empty groups are left out. */
const table = (title, groups, place = $("tables")) => {
  const shown = groups.filter(([, rows]) => rows.length > 0);
  if (shown.length === 0) return;
  const bodies = shown.map(([name, rows]) => {
    const head = name ? [element("tr", { className: "group" }, element("th", { scope: "rowgroup", colSpan: runs.length + 1 }, name))] : [];
    return element("tbody", {}, ...head, ...rows);
  });
  const differ = shown.some(([, rows]) => rows.some((row) => !row.classList.contains("same")));
  const made = element("table", {}, ...(several && differ ? [runsHead()] : []), ...bodies);
  const scroll = element("div", { className: "scroll" }, made);
  if (several) Object.assign(scroll, { tabIndex: 0, role: "region", ariaLabel: title });
  place.append(element("div", { className: "table" }, element("h2", {}, title), scroll));
};
/** Rows of all labels that some run has; `lists` has [label, value] of each run. */
const rowsOf = (lists) => {
  const labels = [...new Set(lists.flatMap((list) => list.map(([label]) => label)))];
  const valuesOf = (label) => lists.map((list) => list.find(([other]) => other === label)?.[1]);
  return labels.map((label) => row(label, valuesOf(label)));
};

const words = (name) => name.replaceAll("_", " ");
const anything = (value) => {
  if (value === null) return "not set";
  if (value === true) return "on";
  if (value === false) return "off";
  if (typeof value === "number") return Number.isInteger(value) ? plain.format(value) : String(Number(value.toPrecision(6)));
  return typeof value === "string" ? value : JSON.stringify(value);
};

/** The groups of the settings: of several runs those that differ, then those that someone has set, the chosen, the rest. */
const settingGroups = () => {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.start.config)))];
  const valuesOf = (name) => runs.map((run) => (name in run.start.config ? anything(run.start.config[name]) : "–"));
  const differs = (name) => new Set(valuesOf(name)).size > 1;
  const isChanged = (name) => runs.some((run) => run.changed.includes(name));
  const isAutomatic = (name) => runs.some((run) => run.start.automatic.includes(name));
  const groups = [
    ["Settings that differ", differs],
    ["Set", isChanged],
    ["Chosen by the program", isAutomatic],
    ["Defaults", () => true],
  ];
  const groupOf = (name) => groups.findIndex(([, holds]) => holds(name));
  return groups.map(([title], index) => {
    const rows = names.filter((name) => groupOf(name) === index);
    return [title, rows.map((name) => row(`--${name.replaceAll("_", "-")}`, valuesOf(name), { mark: index < 2 }))];
  });
};

const corpusRows = ({ start }) => {
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
  // The value of --sample stands among the settings.
  const rows = Object.entries({ ...text, ...selection, ...rest }).filter(([name]) => name !== "sample").map(([name, value]) => {
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
const STAGES = ["prepare", "start", "train", "of_it_waiting_for_batches", "write"];
const timeRows = ({ end }) => {
  const place = (name) => (STAGES.includes(name) ? STAGES.indexOf(name) : STAGES.length);
  return Object.entries(end?.seconds ?? {})
    .filter(([, value]) => typeof value === "number")
    .sort(([a], [b]) => place(a) - place(b))
    .map(([name, value]) => [words(name), duration(value)]);
};
const corpusFiles = ({ corpus }) => [
  ...corpus.slice(0, 20).map((path, index) => [index === 0 ? "corpus" : `corpus, file ${index + 1}`, path]),
  ...(corpus.length > 20 ? [["more files of the corpus", plain.format(corpus.length - 20)]] : []),
];
const machineRows = ({ start, end }) => [
  ["engine", start.engine],
  ["logical processors", plain.format(start.hardware.cores)],
  ["threads", plain.format(start.hardware.threads)],
  ["system", start.hardware.system],
  ["started", start.started.replace("T", " ").replace("Z", " UTC")],
  ...corpusFiles(start),
  ["vectors", end?.output ?? start.output],
];

/** The rows of a test, or of a section of it: scores with their bars, and how much was found. */
const scoreRows = (label, found, isSection) => {
  const bar = (of) => {
    if (of?.score == null) return "–";
    const made = element("span", { className: "score" }, scoreText(of.score));
    made.style.setProperty("--share", `${Math.max(0, of.score) * 100}%`);
    return made;
  };
  const coverage = (of) => (of ? `${plain.format(of.found)} of ${plain.format(of.total)}, ${percent.format(of.found / Math.max(1, of.total))}` : "–");
  const cells = found.flatMap((of) => [element("td", {}, bar(of)), element("td", { className: "found" }, coverage(of))]);
  return element("tr", { className: isSection ? "section" : "whole" }, element("th", { scope: "row" }, element("bdi", {}, label)), ...cells);
};
const scoreTable = () => {
  const all = runs.map(scoresOf);
  if (all.every((scores) => scores.length === 0)) return;
  const bodies = [...new Set(all.flat().map(testName))].map((test) => {
    const found = all.map((scores) => scores.find((score) => testName(score) === test));
    const names = [...new Set(found.flatMap((score) => score?.sections.map((section) => section.name) ?? []))];
    const section = (name) => scoreRows(name, found.map((score) => score?.sections.find((section) => section.name === name)), true);
    return element("tbody", {}, scoreRows(test, found, false), ...names.map(section));
  });
  const heads = runs.flatMap((run, index) => [
    element("th", { scope: "col" }, ...(several ? [swatch(index), element("bdi", {}, run.name)] : ["score"])),
    element("th", { scope: "col" }, "found"),
  ]);
  $("scores").append(element("table", {}, element("thead", {}, element("tr", {}, element("td", {}), ...heads)), ...bodies));
  const scored = first.epochs.find((epoch) => epoch.evaluation === all[0]);
  const epoch = several ? "" : ` These are the scores after epoch ${scored.epoch}.`;
  $("about-scores").textContent = `Spearman's correlation for pairs, the share of right answers for analogies; found are pairs and questions all of whose words have vectors.${epoch}`;
  $("evaluation").hidden = false;
};
scoreTable();

const [different, ...alike] = settingGroups();
if (several) table("Results", [[null, rowsOf(runs.map((run) => figuresOf(run).map(([name, value]) => [name, value])))], different], $("comparison"));
table(several ? "Settings of all runs" : "Settings", alike);
table("Text", [[null, rowsOf(runs.map(corpusRows))]]);
table("Time", [[null, rowsOf(runs.map(timeRows))]]);
table("Machine and files", [[null, rowsOf(runs.map(machineRows))]]);
