// ---- The map of words ----

/** Whether the map shows a word, and not the list of nearest words alone. */
const mapped = map ? map.pca.length : 0;
const spelt = (id) => map.words[id];

/** The vectors of the map's words as units, word after word; made when first needed. */
let unitValues = null;
const units = () => {
  if (unitValues) return unitValues;
  const bytesOf = Uint8Array.from(atob(map.directions), (character) => character.charCodeAt(0));
  const values = Float32Array.from(new Int8Array(bytesOf.buffer));
  const dim = values.length / mapped;
  for (let id = 0; id < mapped; id += 1) {
    const row = values.subarray(id * dim, (id + 1) * dim);
    const length = Math.hypot(...row) || 1;
    row.forEach((value, index) => (row[index] = value / length));
  }
  unitValues = { values, dim };
  return unitValues;
};
/** The words of the map nearest to a sum of words, [id, cosine] each; `terms` are [sign, id]. */
const nearestToSum = (terms, top) => {
  const { values, dim } = units();
  const sum = new Float32Array(dim);
  for (const [sign, id] of terms) for (let i = 0; i < dim; i += 1) sum[i] += sign * values[id * dim + i];
  const length = Math.hypot(...sum) || 1;
  const asked = new Set(terms.map(([, id]) => id));
  const cosines = [];
  for (let id = 0; id < mapped; id += 1) {
    if (asked.has(id)) continue;
    let dot = 0;
    for (let i = 0; i < dim; i += 1) dot += sum[i] * values[id * dim + i];
    cosines.push([id, dot / length]);
  }
  return cosines.sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, top);
};

/** A word to begin with, whose nearest words are near: past the most frequent ones, and made of letters. */
const exampleWord = () => {
  const mean = (id) => map.cosines[id].reduce((sum, cosine) => sum + cosine, 0) / Math.max(1, map.cosines[id].length);
  const fits = (id) => /^\p{L}{4,}$/u.test(spelt(id));
  const ids = Array.from({ length: mapped }, (_, id) => id);
  const likely = ids.filter((id) => id >= Math.min(100, mapped / 10) && id < 2000 && fits(id));
  return (likely.length > 0 ? likely : ids).reduce((best, id) => (mean(id) > mean(best) ? id : best));
};

const explore = () => {
  $("explorer").hidden = false;
  let layout = map.tsne ? "tsne" : "pca";
  /** What is looked at: words asked about, words near them as [id, cosine], and the text above the list. */
  let focus = { asked: [], near: [], title: "" };
  /** The cluster that stands out, if one does. */
  let shown = null;

  const order = Array.from({ length: mapped }, (_, id) => id);
  const radiusOf = (id) => Math.round((1.6 + 3 / (1 + id / 150)) * 2) / 2;
  let colours = [];
  const look = () => {
    const asked = new Set(focus.asked);
    const near = new Set(focus.near.map(([id]) => id).filter((id) => id < mapped));
    const strong = new Set([...asked, ...near]);
    const [from] = focus.asked;
    const standsOut = (id) => shown === null || map.cluster[id] === shown || asked.has(id);
    return {
      order,
      text: colours.text,
      surface: colours.surface,
      colour: (id) => colours.clusters[map.clusters.length > 0 ? map.cluster[id] : 0],
      radius: (id) => (asked.has(id) ? 6 : near.has(id) ? 4.5 : radiusOf(id)),
      faint: shown === null ? 0.45 : 0.12,
      dim: (id) => (shown !== null ? map.cluster[id] !== shown : strong.size > 0 && !strong.has(id)),
      strong: [...strong].filter(standsOut),
      lines: shown === null && focus.asked.length === 1 ? [...near].map((id) => [from, id]) : [],
      main: focus.asked.length === 1 ? from : null,
    };
  };
  const recolour = () => {
    colours = { text: colour("text"), surface: colour("surface"), clusters: COLOURS.map(colour) };
  };
  recolour();

  const hint = element("div", { className: "pointed", hidden: true });
  const clusterName = (cluster) => map.clusters[cluster].map(spelt).join(", ");
  const pointed = (id, at) => {
    hint.hidden = id === null;
    if (id === null) return;
    const cluster = map.clusters.length > 0 ? [["cluster", clusterName(map.cluster[id])]] : [];
    hint.replaceChildren(tip(spelt(id), [["rank", plain.format(id + 1)], ...cluster]));
    const isRight = at[0] > $("map").clientWidth / 2;
    hint.style.insetInline = isRight ? `auto ${$("map").clientWidth - at[0] + 12}px` : `${at[0] + 12}px auto`;
    hint.style.top = `${Math.min(at[1] + 12, $("map").clientHeight - 70)}px`;
  };
  const drawn = plane($("map"), { name: spelt, at: (id) => map[layout][id], look, chosen: (id) => select(id), pointed });
  drawn.canvas.setAttribute("role", "application");
  drawn.canvas.setAttribute(
    "aria-label",
    `A map of ${plain.format(mapped)} words. The arrow keys move it, plus and minus zoom, 0 shows the whole map; the search field lists the nearest words of each.`,
  );
  $("map").append(hint);
  dark.addEventListener("change", () => {
    recolour();
    drawn.again();
  });

  // -- The list of nearest words --

  const entry = ([id, cosine], digits) => {
    const label = [element("bdi", {}, spelt(id)), element("span", { className: "cosine" }, cosine.toFixed(digits))];
    const made =
      id < mapped
        ? element("button", { type: "button" }, ...label)
        : element("div", { className: "beyond", title: "not among the words of the map" }, ...label);
    made.style.setProperty("--share", `${Math.max(0, cosine) * 100}%`);
    if (id < mapped)
      made.addEventListener("click", () => {
        go(id);
        $("neighbors").querySelector("button")?.focus();
      });
    return element("li", {}, made);
  };
  const present = (next, digits, more) => {
    focus = next;
    shown = null;
    legend();
    $("selected").replaceChildren(...next.title);
    $("neighbors").replaceChildren(...next.near.map((near) => entry(near, digits)));
    const beyond = next.near.filter(([id]) => id >= mapped).length;
    $("hint").textContent = more ?? (beyond > 0 ? "Words in italics are not on the map, which shows the most frequent ones." : "");
    drawn.again();
  };
  const select = (id) => {
    const near = map.neighbors[id].map((near, index) => [near, map.cosines[id][index] / 1000]);
    present({ asked: [id], near, title: ["Nearest to ", element("bdi", {}, spelt(id))] }, 3);
  };
  const onMap = () => [...focus.asked, ...focus.near.map(([id]) => id)].filter((id) => id < mapped);
  /** Selects a word and flies to it. */
  const go = (id) => {
    select(id);
    // Most of the nearest words lie beside it; a distant one shall not make the flight useless.
    const [x, y] = map[layout][id];
    const apart = (other) => Math.max(Math.abs(map[layout][other][0] - x), Math.abs(map[layout][other][1] - y));
    const near = onMap().sort((a, b) => apart(a) - apart(b));
    drawn.flyTo(near.slice(0, Math.max(1, Math.ceil(near.length * 0.7))));
  };
  /** Answers a sum of words. */
  const answer = (terms) => {
    const near = nearestToSum(terms, 10);
    const title = terms.flatMap(([sign, id], index) => [
      index === 0 ? (sign < 0 ? "− " : "") : sign < 0 ? " − " : " + ",
      element("bdi", {}, spelt(id)),
    ]);
    const more = `Among the ${plain.format(mapped)} words of the map; cosines to about a hundredth.`;
    present({ asked: terms.map(([, id]) => id), near, title }, 2, more);
    if (near.length > 0) drawn.whole();
  };

  // -- Clusters --

  function legend() {
    $("clusters").hidden = map.clusters.length === 0;
    const members = new Array(map.clusters.length).fill(0);
    map.cluster.forEach((cluster) => (members[cluster] += 1));
    const entries = map.clusters.map((_, cluster) => {
      const count = element("span", { className: "count" }, plain.format(members[cluster]));
      const button = element("button", { type: "button" }, swatch(cluster), element("bdi", {}, clusterName(cluster)), count);
      button.setAttribute("aria-pressed", String(shown === cluster));
      button.addEventListener("click", () => {
        shown = shown === cluster ? null : cluster;
        legend();
        $("legend").children[cluster].firstChild.focus();
        drawn.again();
      });
      return element("li", {}, button);
    });
    $("legend").replaceChildren(...entries);
  }

  // -- Controls --

  $("zoom-in").addEventListener("click", () => drawn.zoomBy(1 / 0.6));
  $("zoom-out").addEventListener("click", () => drawn.zoomBy(0.6));
  $("zoom-reset").addEventListener("click", () => drawn.whole());
  for (const input of document.querySelectorAll("input[name=layout]")) {
    input.checked = input.value === layout;
    input.disabled = map[input.value] === null;
    input.addEventListener("change", () => {
      layout = input.value;
      drawn.again();
    });
  }
  const whose = several && data.map_of !== null ? ` of ${runs[data.map_of].name}` : "";
  const among = map.vocabulary > mapped ? `all ${plain.format(map.vocabulary)} words of the vocabulary` : "these";
  $("about-map").textContent =
    `The ${plain.format(mapped)} most frequent words${whose}, larger dots for more frequent ones; nearest words are among ${among}, ` +
    "by the cosine of their vectors. Distances on the map only hint at them. Colours are clusters of the vectors (k-means), " +
    "named by the most frequent of their central words. Drag to move; pinch, or turn the wheel while holding Ctrl, to zoom.";

  searchBox({ go, answer });
  select(exampleWord());
};

// ---- Search ----

/** The field that finds a word, or answers a sum of words such as `king - man + woman`. */
const searchBox = ({ go, answer }) => {
  const MATCHES = 8;
  const folded = map.words.slice(0, mapped).map((text) => text.toLowerCase());
  const find = (text) => {
    const wanted = text.toLowerCase();
    const rank = (id) => (folded[id] === wanted ? 0 : folded[id].startsWith(wanted) ? 1 : 2);
    const found = [...folded.keys()].filter((id) => folded[id].includes(wanted));
    return found.sort((a, b) => rank(a) - rank(b) || a - b).slice(0, MATCHES);
  };
  const exact = (text) => {
    const id = map.words.indexOf(text);
    const any = id >= 0 && id < mapped ? id : folded.indexOf(text.toLowerCase());
    return any >= 0 ? any : null;
  };
  /** The terms of a text, [sign, text] each; a sign stands between spaces. */
  const termsOf = (text) => {
    const parts = text.split(/\s([-+−])\s/);
    const terms = [[1, parts[0].trim()]];
    for (let i = 1; i < parts.length; i += 2) terms.push([parts[i] === "+" ? 1 : -1, parts[i + 1].trim()]);
    return terms;
  };
  const query = $("query");
  let matches = [];
  let active = 0;
  const close = () => {
    $("matches").hidden = true;
    query.setAttribute("aria-expanded", "false");
    query.removeAttribute("aria-activedescendant");
  };
  const mark = () => {
    if (matches.length === 0) return;
    [...$("matches").children].forEach((entry, index) => entry.setAttribute("aria-selected", String(index === active)));
    query.setAttribute("aria-activedescendant", `match-${active}`);
  };
  const list = () => {
    const wanted = termsOf(query.value).at(-1)[1];
    if (wanted === "") return close();
    matches = find(wanted);
    active = 0;
    const entries = matches.map((id, index) => {
      const entry = element("li", { id: `match-${index}`, role: "option" }, element("bdi", {}, spelt(id)));
      entry.addEventListener("pointerdown", (event) => event.preventDefault());
      entry.addEventListener("click", () => choose(id));
      return entry;
    });
    const none = element("li", { role: "option", ariaDisabled: "true" }, `none of these ${plain.format(mapped)} words`);
    $("matches").replaceChildren(...(entries.length > 0 ? entries : [none]));
    $("matches").hidden = false;
    query.setAttribute("aria-expanded", "true");
    query.removeAttribute("aria-activedescendant");
    mark();
  };
  /** Takes a word for the last term, and shows the word or the sum. */
  const choose = (id) => {
    const terms = termsOf(query.value);
    const start = query.value.slice(0, query.value.length - query.value.split(/\s[-+−]\s/).at(-1).length);
    query.value = start + spelt(id);
    close();
    if (terms.length === 1) return go(id);
    const ids = [...terms.slice(0, -1).map(([sign, text]) => [sign, exact(text)]), [terms.at(-1)[0], id]];
    const unknown = ids.findIndex(([, id]) => id === null);
    if (unknown < 0) return answer(ids);
    $("matches").replaceChildren(element("li", { role: "option", ariaDisabled: "true" }, "no word of the map: ", element("bdi", {}, terms[unknown][1])));
    $("matches").hidden = false;
  };
  query.addEventListener("input", list);
  query.addEventListener("focus", list);
  query.addEventListener("blur", close);
  query.addEventListener("keydown", (event) => {
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
};

$("no-map").hidden = map !== null;
if (map !== null && mapped > 0) explore();
