// Takes pictures of the map of words: BROWSER=/usr/bin/chromium node map.mjs page.html folder

import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [page, folder] = process.argv.slice(2);
// Containers run this as root, where there is no sandbox to be had.
const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
const browser = await puppeteer.launch({ executablePath: process.env.BROWSER, args });
for (const scheme of ["light", "dark"]) {
  const tab = await browser.newPage();
  await tab.setViewport({ width: 1100, height: 900, deviceScaleFactor: 1.5 });
  await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await tab.goto(pathToFileURL(resolve(page)).href);
  // A blinking caret would make another picture each time.
  await tab.addStyleTag({ content: "input { caret-color: transparent }" });
  await tab.type("#query", "guitar");
  await tab.keyboard.press("Enter");
  // The map has flown to the word; the picture shows the whole.
  await tab.click("#zoom-reset");
  await tab.mouse.move(0, 0);
  await new Promise((done) => setTimeout(done, 1000));
  const section = await tab.$("section:has(#map)");
  await section.screenshot({ path: join(folder, `map-${scheme}.png`) });
}
await browser.close();
