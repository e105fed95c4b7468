// What a report does in a browser: BROWSER=/usr/bin/chromium REPORTS=folder node --test browser.test.mjs
//
// The folder holds run.html, a whole run; analogy.json, what its vectors answer to "france paris japan"; few.html, its map
// of few words; both.html, that run and early.html's over each other; hostile.html, whose words look like markup;
// early.html, a run that --patience ended; and unfinished.html. Pictures of the pages go there too.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const reports = resolve(process.env.REPORTS);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser;

before(async () => {
  // Tests run as root in containers, where there is no sandbox to be had.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  browser = await puppeteer.launch({ executablePath: process.env.BROWSER, args });
});
after(() => browser?.close());

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

/** Opens a report, and gives `body` its page; fails when the page complains or fetches anything. */
async function open(name, body, { viewport = DESKTOP, scheme = "light", motion = "reduce" } = {}) {
  const page = await browser.newPage();
  const complaints = [];
  const address = pathToFileURL(join(reports, name)).href;
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== address && !request.url().startsWith("data:")) complaints.push(`fetched ${request.url()}`);
  });
  await page.setViewport(viewport);
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: scheme },
    { name: "prefers-reduced-motion", value: motion },
  ]);
  await page.goto(address);
  await settled(page);
  try {
    await body(page);
    assert.deepEqual(complaints, []);
  } finally {
    await page.close();
  }
}

/** Two frames later all that was asked for is drawn. */
const settled = (page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50)))));
const text = (page, selector) => page.$eval(selector, (found) => found.textContent);
const texts = (page, selector) => page.$$eval(selector, (all) => all.map((found) => found.textContent));
const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);

/** How many pixels of each canvas differ from its first one. */
const inked = (page) =>
  page.$$eval("canvas", (all) =>
    all.map((canvas) => {
      const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
      return pixels.filter((pixel) => pixel !== pixels[0]).length;
    }),
  );
const picture = (page) => page.$eval("#map canvas", (canvas) => canvas.toDataURL());
const dataOf = (page) => page.$eval("#data", (data) => JSON.parse(data.textContent));
/** The words of the map; those after them are near to some, and not on the map. */
const words = async (page) => {
  const { map } = await dataOf(page);
  return map.words.slice(0, map.pca.length);
};

/** Where a word's dot is on the screen. */
async function place(page, word) {
  await page.$eval("#map", (map) => map.scrollIntoView({ block: "center" }));
  return page.evaluate((word) => {
    const { map } = JSON.parse(document.getElementById("data").textContent);
    const canvas = document.querySelector("#map canvas");
    const layout = document.querySelector("input[name=layout]:checked").value;
    const [x, y] = map[layout][map.words.indexOf(word)];
    const [x0, byX, y0, byY] = JSON.parse(canvas.dataset.view);
    const { left, top } = canvas.getBoundingClientRect();
    return { x: left + x0 + byX * x, y: top + y0 + byY * y };
  }, word);
}

/** A word whose dot no other covers. */
async function alone(page) {
  return page.evaluate(() => {
    const { words, tsne } = JSON.parse(document.getElementById("data").textContent).map;
    const near = (id) => Math.min(...tsne.map((at, other) => (other === id ? 9 : Math.hypot(at[0] - tsne[id][0], at[1] - tsne[id][1]))));
    return words[words.map((_, id) => id).sort((a, b) => near(b) - near(a))[0]];
  });
}

async function search(page, query) {
  await page.$eval("#query", (input) => ((input.value = ""), input.dispatchEvent(new Event("input"))));
  await page.type("#query", query);
}

for (const scheme of ["light", "dark"]) {
  for (const [device, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    test(`everything is drawn, fits and can be read: ${scheme}, ${device}`, () =>
      open(
        "run.html",
        async (page) => {
          const captions = await texts(page, "figcaption");
          assert.deepEqual(captions, ["Loss per pair", "Words per second", "Learning rate", "Evaluation"]);
          const pixels = await inked(page);
          assert.equal(pixels.length, captions.length + 1);
          for (const count of pixels) assert.ok(count > 2000, `canvases: ${pixels}`);
          const [content, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
          assert.ok(content <= width, `${content} > ${width}: the page scrolls sideways`);
          const bright = await page.evaluate(() => Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0]) > 128);
          assert.equal(bright, scheme === "light");
          await search(page, (await words(page))[3]);
          await page.keyboard.press("Enter");
          await settled(page);
          await page.screenshot({ path: join(reports, `run-${scheme}-${device}.png`), fullPage: true });
          // Contrast, names of controls, order of headings and much more.
          await page.evaluate(axe);
          const { violations } = await page.evaluate(() => globalThis.axe.run());
          const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
          assert.deepEqual(found, []);
        },
        { viewport, scheme },
      ));
  }
}

test("colours follow the system while the page is open", () =>
  open("run.html", async (page) => {
    const before = await picture(page);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    await settled(page);
    assert.notEqual(await picture(page), before);
  }));

test("a word is found by the keyboard alone", () =>
  open("run.html", async (page) => {
    const wanted = (await words(page)).find((word) => word.length > 4);
    await page.focus("#query");
    await page.keyboard.type(wanted.slice(0, 3).toUpperCase());
    const found = await texts(page, "#matches li");
    assert.ok(found.length > 0 && found.every((word) => word.includes(wanted.slice(0, 3))), `${found}`);
    assert.equal(await page.$eval("#query", (input) => input.getAttribute("aria-expanded")), "true");
    await page.keyboard.press("ArrowUp");
    const last = await page.$eval("#query", (input) => document.getElementById(input.getAttribute("aria-activedescendant")).textContent);
    assert.equal(last, found.at(-1));
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await text(page, "#selected"), `Nearest to ${found[0]}`);
    assert.equal(await page.$eval("#matches", (list) => list.hidden), true);
    const near = await texts(page, "#neighbors bdi");
    assert.equal(near.length, 10);
    assert.ok(near.every((word) => word !== found[0]));
    const cosines = (await texts(page, "#neighbors .cosine")).map(Number);
    assert.deepEqual(cosines, cosines.toSorted((a, b) => b - a));

    // From neighbour to neighbour, and the focus goes along.
    await page.focus("#neighbors button");
    await page.keyboard.press("Enter");
    assert.equal(await text(page, "#selected"), `Nearest to ${near[0]}`);
    assert.ok((await focused(page)).startsWith(await text(page, "#neighbors bdi")));
  }));

test("the focus reaches every control and leaves again", () =>
  open("run.html", async (page) => {
    await search(page, (await words(page))[0]);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Enter");
    await page.$eval("#query", (input) => input.blur());
    const visited = [];
    for (let i = 0; i < 60; i += 1) {
      await page.keyboard.press("Tab");
      visited.push(await page.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.tagName));
    }
    for (const control of ["CODE", "CANVAS", "query", "layout", "zoom-in", "zoom-out", "zoom-reset"]) assert.ok(visited.includes(control), `${control}: ${visited}`);
    assert.ok(visited.includes("BODY"), `${visited}`);
  }));

test("what is not there is said to be missing", () =>
  open("run.html", async (page) => {
    const before = await text(page, "#selected");
    await search(page, "no-such-word");
    assert.match(await text(page, "#matches"), /^none of these [\d,]+ words$/);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await text(page, "#selected"), before);
    await page.keyboard.press("Escape");
    assert.equal(await page.$eval("#matches", (list) => list.hidden), true);
  }));

test("a click on a dot lists its neighbours, and hovering names it", () =>
  open("run.html", async (page) => {
    const word = await alone(page);
    const { x, y } = await place(page, word);
    await page.mouse.move(x, y);
    await settled(page);
    assert.ok((await text(page, "#map .tip")).startsWith(word));
    const before = await picture(page);
    await page.mouse.click(x, y);
    await settled(page);
    assert.equal(await text(page, "#selected"), `Nearest to ${word}`);
    assert.equal((await texts(page, "#neighbors li")).length, 10);
    assert.notEqual(await picture(page), before);
  }));

test("a tap does the same on a phone", () =>
  open(
    "run.html",
    async (page) => {
      const word = await alone(page);
      const { x, y } = await place(page, word);
      await page.touchscreen.tap(x, y);
      await settled(page);
      assert.equal(await text(page, "#selected"), `Nearest to ${word}`);
    },
    { viewport: PHONE },
  ));

test("the map zooms, moves, comes back and changes its layout", () =>
  open("run.html", async (page) => {
    const whole = await picture(page);
    const after = async (act) => {
      await act();
      await settled(page);
      return picture(page);
    };
    const zoomed = await after(() => page.click("#zoom-in"));
    assert.notEqual(zoomed, whole);
    const { x, y } = await place(page, await alone(page));
    const middle = await page.$eval("#map", (map) => {
      const { left, top, width, height } = map.getBoundingClientRect();
      return { x: left + width / 2, y: top + height / 2 };
    });
    const moved = await after(async () => {
      await page.mouse.move(middle.x, middle.y);
      await page.mouse.down();
      await page.mouse.move(middle.x + 80, middle.y + 40, { steps: 4 });
      await page.mouse.up();
      await page.mouse.move(0, 0);
    });
    assert.notEqual(moved, zoomed);
    const shifted = await place(page, await alone(page));
    assert.ok(Math.abs(shifted.x - x - 80) < 8 && Math.abs(shifted.y - y - 40) < 8, `${shifted.x - x} ${shifted.y - y}`);
    assert.equal(await after(() => page.click("#zoom-reset")), whole);
    assert.notEqual(await after(() => page.click("input[value=pca]")), whole);
    assert.equal(await after(() => page.click("input[value=tsne]")), whole);
  }));

test("the wheel scrolls the page, and zooms with Ctrl", () =>
  open("run.html", async (page) => {
    const { x, y } = await place(page, (await words(page))[0]);
    await page.mouse.move(x, y);
    const whole = await picture(page);
    const top = await page.evaluate(() => scrollY);
    await page.mouse.wheel({ deltaY: 120 });
    await page.waitForFunction((top) => scrollY > top, { timeout: 5000 }, top);
    await page.mouse.move(x, y);
    await page.keyboard.down("Control");
    await page.mouse.wheel({ deltaY: -240 });
    await page.keyboard.up("Control");
    await settled(page);
    assert.notEqual(await picture(page), whole);
  }));

test("a finger on the whole map scrolls the page", () =>
  open(
    "run.html",
    async (page) => {
      const { x, y } = await place(page, await alone(page));
      const top = await page.evaluate(() => scrollY);
      const finger = await page.touchscreen.touchStart(x, y);
      for (let moved = 20; moved <= 200; moved += 20) await finger.move(x, y - moved);
      await finger.end();
      await page.waitForFunction((top) => scrollY > top + 100, { timeout: 5000 }, top);
    },
    { viewport: PHONE },
  ));

test("words that look like markup stay words", () =>
  open("hostile.html", async (page) => {
    const all = await words(page);
    for (const word of all.filter((word) => word.includes("<"))) {
      await search(page, word);
      assert.equal((await texts(page, "#matches li"))[0], word);
      await page.keyboard.press("Enter");
      assert.equal(await text(page, "#selected bdi"), word);
      const { x, y } = await place(page, word);
      await page.mouse.move(x, y);
      await settled(page);
    }
    assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
    assert.equal(await page.$$eval("img, main b, main script", (found) => found.length), 0);
    assert.ok(await page.$eval("input[value=tsne]", (input) => input.checked));
  }));

test("an early end says so, and the tiles are of the epoch that was kept", () =>
  open("early.html", async (page) => {
    const { end, start } = (await dataOf(page)).runs[0];
    const { epochs, model_epoch, loss, validation } = end.training;
    assert.ok(model_epoch + 1 < epochs && epochs < start.config.epochs);
    const said = await text(page, ".ending");
    assert.ok(said.startsWith(`Stopped early after epoch ${epochs} of ${start.config.epochs}`), said);
    assert.ok(said.includes(`those of epoch ${model_epoch + 1}, `), said);
    assert.equal(await page.$(".unfinished"), null);
    const tiles = await texts(page, "#figures div");
    const chance = `${end.training.blank_loss.toFixed(4)} at chance`;
    assert.ok(tiles.includes(`Loss per pair, epoch ${model_epoch + 1}${loss.toFixed(4)}${chance}`), `${tiles}`);
    assert.ok(tiles.includes(`Validation loss, epoch ${model_epoch + 1}${validation.toFixed(4)}`), `${tiles}`);
  }));

test("a run that went to its end says nothing of it", () =>
  open("run.html", async (page) => assert.equal(await text(page, "#notes"), "")));

test("an unfinished run says so", () =>
  open("unfinished.html", async (page) => {
    assert.match(await text(page, ".unfinished"), /did not finish, or goes on still.*--follow/);
    assert.equal(await page.$eval("#no-map", (note) => note.hidden), false);
    assert.equal(await page.$eval("#explorer", (explorer) => explorer.hidden), true);
    assert.ok((await inked(page)).every((count) => count > 2000));
  }));

test("an example is open at the start", () =>
  open("run.html", async (page) => {
    assert.match(await text(page, "#selected"), /^Nearest to \p{L}{4,}$/u);
    assert.equal((await texts(page, "#neighbors li")).length, 10);
  }));

test("words are added and subtracted", () =>
  open("run.html", async (page) => {
    const { answers } = JSON.parse(readFileSync(join(reports, "analogy.json"), "utf8"));
    await search(page, "paris - France + japan");
    await page.keyboard.press("Enter");
    assert.equal(await text(page, "#selected"), "paris − france + japan");
    const found = await texts(page, "#neighbors bdi");
    assert.equal(found.length, 10);
    assert.equal(found[0], answers[0].word);
    const cosine = Number(await text(page, "#neighbors .cosine"));
    assert.ok(Math.abs(cosine - answers[0].cosine) < 0.02, `${cosine} ${answers[0].cosine}`);
    assert.ok(!found.some((word) => ["paris", "france", "japan"].includes(word)));
    // The last term is completed, and a word that is not there is named.
    await search(page, "paris - fran");
    assert.ok((await texts(page, "#matches li")).every((word) => word.includes("fran")));
    await search(page, "no-such-word + japan");
    await page.keyboard.press("Enter");
    assert.equal(await text(page, "#matches"), "no word of the map: no-such-word");
    assert.equal(await text(page, "#selected"), "paris − france + japan");
  }));

test("words beyond the map are listed, and lead nowhere", () =>
  open("few.html", async (page) => {
    const { map } = await dataOf(page);
    const id = map.neighbors.findIndex((near) => near.some((id) => id >= map.pca.length));
    await search(page, map.words[id]);
    await page.keyboard.press("Enter");
    assert.deepEqual(
      await texts(page, "#neighbors bdi"),
      map.neighbors[id].map((near) => map.words[near]),
    );
    const beyond = map.neighbors[id].filter((near) => near >= map.pca.length).map((near) => map.words[near]);
    assert.deepEqual(await texts(page, "#neighbors .beyond bdi"), beyond);
    assert.match(await text(page, "#hint"), /not on the map/);
  }));

test("a cluster stands out when its name is pressed, and no longer when it is pressed again", () =>
  open("run.html", async (page) => {
    const { map } = await dataOf(page);
    const names = map.clusters.map((named) => named.map((id) => map.words[id]).join(", "));
    assert.ok(names.length > 2);
    assert.deepEqual(await texts(page, "#legend bdi"), names);
    const counts = (await texts(page, "#legend .count")).map(Number);
    assert.equal(counts.reduce((sum, count) => sum + count), map.pca.length);
    const whole = await picture(page);
    await page.click("#legend li:nth-child(2) button");
    await settled(page);
    assert.equal(await page.$eval("#legend [aria-pressed=true] bdi", (name) => name.textContent), names[1]);
    assert.notEqual(await picture(page), whole);
    await page.keyboard.press("Enter");
    await settled(page);
    assert.equal(await page.$("#legend [aria-pressed=true]"), null);
    assert.equal(await picture(page), whole);
  }));

test("the map flies to the word found", () =>
  open(
    "run.html",
    async (page) => {
      const word = await alone(page);
      await search(page, word);
      const before = await place(page, word);
      await page.keyboard.press("Enter");
      await new Promise((done) => setTimeout(done, 1500));
      const { x, y } = await place(page, word);
      assert.ok(Math.hypot(x - before.x, y - before.y) > 5);
      const inside = await page.$eval("#map", (map) => map.getBoundingClientRect().toJSON());
      assert.ok(x > inside.left && x < inside.right && y > inside.top && y < inside.bottom);
    },
    { motion: "no-preference" },
  ));

test("the map is moved by the keyboard", () =>
  open("run.html", async (page) => {
    await page.focus("#map canvas");
    const whole = await picture(page);
    const after = async (key) => {
      await page.keyboard.press(key);
      await settled(page);
      return picture(page);
    };
    const zoomed = await after("+");
    assert.notEqual(zoomed, whole);
    assert.notEqual(await after("ArrowLeft"), zoomed);
    assert.equal(await after("0"), whole);
  }));

test("scores have tiles, coverage and sections", () =>
  open("run.html", async (page) => {
    const { epochs } = (await dataOf(page)).runs[0];
    const scores = epochs.at(-1).evaluation;
    const rows = await texts(page, "#scores tbody tr");
    assert.equal(rows.length, scores.length + scores.reduce((sum, score) => sum + score.sections.length, 0));
    const tiles = await texts(page, "#figures div");
    for (const { name, measure, score, found, total } of scores) {
      const count = (number) => number.toLocaleString("en");
      assert.ok(tiles.includes(`${name} (${measure})${score.toFixed(4)}${count(found)} of ${count(total)} found`), `${tiles}`);
    }
    assert.ok(rows.some((row) => row.startsWith("capital-common-countries") && row.endsWith("360 of 360, 100%")), `${rows}`);
  }));

test("the command is copied", () =>
  open("run.html", async (page) => {
    await page.bringToFront();
    const command = await text(page, ".command code");
    assert.match(command, /^w2v-gpu train data\/corpus.txt -o /);
    await page.click(".command button");
    await page.waitForFunction(() => document.querySelector(".command button").textContent === "Copied");
    await page.focus("#query");
    await page.keyboard.down("Control");
    await page.keyboard.press("v");
    await page.keyboard.up("Control");
    assert.equal(await page.$eval("#query", (input) => input.value), command);
  }));

test("settings that were set come first", () =>
  open("run.html", async (page) => {
    const { changed, start } = (await dataOf(page)).runs[0];
    const option = (name) => `--${name.replaceAll("_", "-")}`;
    const groups = await texts(page, ".table .group");
    assert.deepEqual(groups, ["Set", "Chosen by the program", "Defaults"]);
    const set = await texts(page, ".table .marked th");
    assert.deepEqual(set, changed.map(option));
    assert.ok(start.automatic.includes("batch") && !set.includes("--batch"));
  }));

test("several runs lie over each other, and what differs stands side by side", () =>
  open("both.html", async (page) => {
    const { runs } = await dataOf(page);
    const names = runs.map((run) => run.name);
    assert.deepEqual(await texts(page, "#comparison thead th"), names);
    const rows = await page.$$eval("#comparison tbody tr", (rows) =>
      rows.map((row) => [...row.children].map((cell) => cell.textContent)),
    );
    const values = (label) => rows.find(([first]) => first === label).slice(1);
    assert.deepEqual(values("--dim"), runs.map((run) => String(run.start.config.dim)));
    assert.ok(!rows.some(([label]) => label === "--window"));
    assert.equal((await texts(page, ".command code")).length, runs.length);
    const lines = await page.$$eval("#curves .chart", (charts) =>
      charts.map((chart) => echarts.getInstanceByDom(chart).getOption().series.map((line) => line.name)),
    );
    assert.deepEqual(lines[0].slice(0, 2), names);
    assert.ok(lines[0].includes("at chance"));
    await page.screenshot({ path: join(reports, "both.png"), fullPage: true });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`), []);
  }));

test("print has everything but the controls", () =>
  open("run.html", async (page) => {
    await page.emulateMediaType("print");
    const shown = (selector) => page.$eval(selector, (found) => getComputedStyle(found).display !== "none");
    assert.deepEqual([await shown("#controls"), await shown(".command button"), await shown("#map")], [false, false, true]);
    assert.ok((await page.pdf()).length > 10_000);
  }));

/** Writes a report whose data `change` has changed. */
function changed(from, to, change) {
  const page = readFileSync(join(reports, from), "utf8");
  const [, before, json, after] = page.match(/^([^]*?id="data">)(.*?)(<\/script>[^]*)$/);
  const data = JSON.parse(json);
  change(data);
  const escaped = JSON.stringify(data).replaceAll("&", "\\u0026").replaceAll("<", "\\u003c");
  writeFileSync(join(reports, to), before + escaped + after);
}

test("a page about a run that goes on loads itself again", async () => {
  changed("unfinished.html", "followed.html", (data) => (data.reload = 1));
  await open("followed.html", async (page) => {
    assert.match(await text(page, ".unfinished"), /made anew every 1 seconds/);
    await page.waitForNavigation({ timeout: 5000 });
  });
});

test("a map of 10,000 words follows the pointer", async () => {
  changed("run.html", "large.html", ({ map }) => {
    const of = map.pca.length;
    for (let id = of; id < 10_000; id += 1) {
      const [x, y] = map.tsne[id % of];
      map.words[id] = `${map.words[id % of]}${id}`;
      map.tsne[id] = [x * (0.9 + 0.1 * Math.sin(id)), y * (0.9 + 0.1 * Math.cos(id))];
      for (const each of ["pca", "neighbors", "cosines", "cluster"]) map[each][id] = map[each][id % of];
    }
    const rows = Buffer.from(map.directions, "base64");
    map.directions = Buffer.alloc((10_000 * rows.length) / of, rows).toString("base64");
  });
  await open("large.html", async (page) => {
    await page.click("#zoom-in");
    await settled(page);
    const { x, y } = await page.$eval("#map", (map) => {
      map.scrollIntoView({ block: "center" });
      const { left, top, width, height } = map.getBoundingClientRect();
      return { x: left + width / 2, y: top + height / 2 };
    });
    await page.evaluate(() => {
      globalThis.frames_at = [];
      const frame = (now) => (globalThis.frames_at.push(now), requestAnimationFrame(frame));
      requestAnimationFrame(frame);
    });
    await page.mouse.move(x, y);
    await page.mouse.down();
    for (let i = 1; i <= 60; i += 1) await page.mouse.move(x + 90 * Math.sin(i / 8), y + 70 * Math.sin(i / 9));
    await page.mouse.up();
    const gaps = await page.evaluate(() => globalThis.frames_at.map((at, i, all) => at - all[Math.max(0, i - 1)]).slice(1));
    const sorted = gaps.toSorted((a, b) => a - b);
    const median = sorted[sorted.length >> 1];
    console.log(`a frame of 10,000 words: median ${median.toFixed(1)} ms, longest ${sorted.at(-1).toFixed(1)} ms`);
    // Drawn word by word it takes seconds; a busy machine may still halve the rate of the screen a few times.
    assert.ok(median < 150, `${median}`);
  });
});
