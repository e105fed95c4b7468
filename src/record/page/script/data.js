const data = JSON.parse(document.getElementById("data").textContent);
const { runs, map } = data;
const several = runs.length > 1;
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

// ---- What several parts of the page want to know of a run ----

const fileName = (path) => path.split(/[\\/]/).pop();
const latest = (list, value) => list.map(value).findLast((value) => value != null);
/** What has one loss: a (center, context) pair, or in CBOW a window. */
const example = (run) => (run.start.config.model === "cbow" ? "window" : "pair");
/** The epoch whose vectors were kept, from 1; of an unfinished run the latest one. */
const keptEpoch = (run) => (run.end ? run.end.training.model_epoch + 1 : run.epochs.at(-1)?.epoch);
/** The scores of the vectors that were kept, or else the latest ones. */
const scoresOf = (run) => {
  const scored = run.epochs.filter((epoch) => epoch.evaluation.length > 0);
  return (scored.find((epoch) => epoch.epoch === keptEpoch(run)) ?? scored.at(-1))?.evaluation ?? [];
};
const testName = ({ name, measure }) => `${name} (${measure})`;
/** The loss of a model that knows nothing; of unfinished runs where it follows from the settings. */
const chance = ({ start: { config, prepared }, end }) => {
  if (end?.training.blank_loss > 0) return end.training.blank_loss;
  if (config.loss === "ns" && config.negative > 0) return (1 + config.negative) * Math.LN2;
  if (config.loss === "softmax" && prepared.vocabulary > 1) return Math.log(prepared.vocabulary);
  return null;
};

// ---- Colours of the page for the charts ----

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
/** Where the colours of runs, tests and clusters come from, in their order. */
const COLOURS = Array.from({ length: 12 }, (_, index) => `c${index}`);
const dark = matchMedia("(prefers-color-scheme: dark)");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const swatch = (index) => {
  const made = element("span", { className: "swatch" });
  made.style.background = `var(--c${index % COLOURS.length})`;
  return made;
};

const tip = (title, rows) =>
  element(
    "div",
    { className: "tip" },
    element("strong", {}, element("bdi", {}, title)),
    ...rows.map(([name, value]) => element("div", {}, element("span", {}, name), element("span", {}, value))),
  );
