// What a report does in a browser: BROWSER=/usr/bin/chromium REPORTS=folder node --test browser.test.mjs
//
// The folder holds run.html, a whole run; hostile.html, whose words look like markup; early.html, a run that
// --patience ended; and unfinished.html. Pictures of the pages go there too.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
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
async function open(name, body, { viewport = DESKTOP, scheme = "light" } = {}) {
  const page = await browser.newPage();
  const complaints = [];
  const address = pathToFileURL(join(reports, name)).href;
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== address && !request.url().startsWith("data:")) complaints.push(`fetched ${request.url()}`);
  });
  await page.setViewport(viewport);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
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
const words = (page) => page.evaluate(() => JSON.parse(document.getElementById("data").textContent).map.words);

/** Where a word's dot is on the screen. */
async function place(page, word) {
  await page.$eval("#map", (map) => map.scrollIntoView({ block: "center" }));
  return page.evaluate((word) => {
    const { map } = JSON.parse(document.getElementById("data").textContent);
    const box = document.getElementById("map");
    const layout = document.querySelector("input[name=layout]:checked").value;
    const chart = echarts.getInstanceByDom(box);
    const [x, y] = chart.convertToPixel({ seriesIndex: 0 }, map[layout][map.words.indexOf(word)]);
    const { left, top } = box.getBoundingClientRect();
    return { x: left + x, y: top + y };
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
  await page.$eval("#query", (input) => (input.value = ""));
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
    for (let i = 0; i < 20; i += 1) {
      await page.keyboard.press("Tab");
      visited.push(await page.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.tagName));
    }
    for (const control of ["query", "layout", "zoom-in", "zoom-out", "zoom-reset"]) assert.ok(visited.includes(control), `${control}: ${visited}`);
    assert.ok(visited.includes("BODY"), `${visited}`);
  }));

test("what is not there is said to be missing", () =>
  open("run.html", async (page) => {
    await search(page, "no-such-word");
    assert.match(await text(page, "#matches"), /^none of these [\d,]+ words$/);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await text(page, "#selected"), "Nearest words");
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
    const { end, start } = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent));
    const { epochs, model_epoch, loss, validation } = end.training;
    assert.ok(model_epoch + 1 < epochs && epochs < start.config.epochs);
    const said = await text(page, "#ending");
    assert.ok(said.startsWith(`Stopped early after epoch ${epochs} of ${start.config.epochs}`), said);
    assert.ok(said.includes(`those of epoch ${model_epoch + 1}, `), said);
    assert.equal(await page.$eval("#unfinished", (note) => note.hidden), true);
    const tiles = await texts(page, "#figures div");
    assert.ok(tiles.includes(`Loss per pair, epoch ${model_epoch + 1}${loss.toFixed(4)}`), `${tiles}`);
    assert.ok(tiles.includes(`Validation loss, epoch ${model_epoch + 1}${validation.toFixed(4)}`), `${tiles}`);
  }));

test("a run that went to its end says nothing of it", () =>
  open("run.html", async (page) => assert.equal(await page.$eval("#ending", (note) => note.hidden), true)));

test("an unfinished run says so", () =>
  open("unfinished.html", async (page) => {
    assert.equal(await page.$eval("#unfinished", (note) => note.hidden), false);
    assert.equal(await page.$eval("#no-map", (note) => note.hidden), false);
    assert.equal(await page.$eval("#explorer", (explorer) => explorer.hidden), true);
    assert.ok((await inked(page)).every((count) => count > 2000));
  }));
