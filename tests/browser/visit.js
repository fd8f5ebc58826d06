// Opens a page in Chromium at several widths and says what a person would run into. Settings come as JSON in the
// first argument, what was seen goes to stdout as JSON.
//   {"chromium", "address", "widths": [1440, ...], "dark": whether, "shots": folder or null, "name": of the pictures}
"use strict";

const path = require("node:path");
const axe = require("axe-core");
const { launch, run, settings } = require("./start.js");

async function visit(browser, width, colorScheme) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  const seen = { width, colorScheme, console: [], requests: [] };
  page.on("console", (message) => seen.console.push(message.text()));
  page.on("pageerror", (error) => seen.console.push(error.message));
  page.on("request", (request) => {
    const address = request.url();
    if (address !== settings.address && !address.startsWith("data:")) seen.requests.push(address);
  });
  await page.goto(settings.address);
  seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  seen.broken = await page.evaluate(() => [...document.images].filter((image) => !image.naturalWidth).length);
  seen.images = await page.evaluate(() => document.images.length);
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => globalThis.axe.run({ preload: false }));
  seen.serious = found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" | ")}`);
  seen.minor = found.violations.filter((one) => !["serious", "critical"].includes(one.impact)).map((one) => one.id);
  seen.passes = found.passes.length;
  if (settings.shots) {
    const file = path.join(settings.shots, `${settings.name}-${width}-${colorScheme}.png`);
    await page.screenshot({ path: file, fullPage: true });
  }
  await page.close();
  return seen;
}

async function main() {
  const browser = await launch();
  const visits = [];
  for (const width of settings.widths) {
    visits.push(await visit(browser, width, "light"));
    if (settings.dark) visits.push(await visit(browser, width, "dark"));
  }
  await browser.close();
  return visits;
}

run(main);
