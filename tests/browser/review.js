// The review page in a real Chromium against a real `hl review` of a real video. Settings come as JSON in the first
// argument, what was seen goes to stdout as JSON.
//   {"chromium", "python", "port", "videos": [paths], "folder": where exports go, "shots": folder or null}
"use strict";

const { existsSync } = require("node:fs");
const path = require("node:path");
const axe = require("axe-core");
const { ended, launch, openPage, review, run, settings } = require("./start.js");

const report = { console: [], axe: [], steps: {} };

/** What the browser says on the console of what is done here on purpose; it may say so later. */
const EXPECTED = /status of (401|409)|net::ERR_(CONNECTION|EMPTY_RESPONSE|INCOMPLETE|CONTENT_LENGTH|SOCKET)/;

const newPage = (context) => openPage(context, report.console);

/** What is kept, as the list shows it. */
const rows = (page) =>
  page.$$eval("#moments .moment", (all) =>
    all.map((one) => ({
      id: one.dataset.id,
      keep: !one.classList.contains("dropped"),
      selected: one.classList.contains("selected"),
      words: one.querySelector("strong").textContent,
      pinned: one.textContent.includes("pinned"),
    })),
  );
const kept = async (page) => (await rows(page)).filter((one) => one.keep);
const saved = (page) => page.waitForFunction(() => document.getElementById("saved").textContent === "Saved");
const position = (page) => page.$eval("#curve", (one) => Number(one.getAttribute("aria-valuenow")));
const total = (page) => page.$eval("#length", (one) => Number(one.value));
const notice = (page) => page.$eval("#notice", (one) => (one.hidden ? "" : one.textContent));
const selected = async (page) => (await rows(page)).find((one) => one.selected);
const bounds = (words) =>
  words
    .match(/(\d+:[\d.]+) to (\d+:[\d.]+)/)
    .slice(1)
    .map(seconds);

function seconds(text) {
  const [minutes, rest] = text.split(":").map(Number);
  return minutes * 60 + rest;
}

async function judge(page, name) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const one of found.violations) {
    if (["serious", "critical"].includes(one.impact)) {
      report.axe.push(`${name}: ${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
    }
  }
}

async function shoot(page, name) {
  if (!settings.shots) return;
  // Pictures below the edge are not fetched; only for the looks, so no reason to fail.
  const stills = () =>
    [...document.querySelectorAll("#moments .still")]
      .filter((one) => one.getBoundingClientRect().bottom < innerHeight)
      .every((one) => one.querySelector("img"));
  await page.waitForFunction(stills, null, { timeout: 10_000 }).catch(() => (report.steps.blank ??= name));
  await page.screenshot({ path: path.join(settings.shots, `${name}.png`) });
}

async function fits(page) {
  return page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
}

async function main() {
  let { child, address } = await review();
  const browser = await launch();
  try {
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      colorScheme: "light",
    });
    const page = await newPage(context);
    await page.addInitScript(note);
    await page.goto(address);
    // It is scored first, with progress, and then hl's own choice is there.
    await page.waitForFunction(() => globalThis.noted.has("Finding moments"));
    await page.waitForSelector("#moments .moment .actions");
    await saved(page);
    report.address = page.url();
    report.seeded = (await kept(page)).length;
    await page.waitForFunction(() => document.getElementById("video").readyState >= 2);
    report.picture = await page.$eval("#video", (one) => one.videoWidth);
    await shoot(page, "review-light");
    await judge(page, "light");
    report.steps.fits = await fits(page);

    await byKeyboard(page);
    await byMouse(page);
    await finding(page);
    await results(page);
    await otherTab(context, page);
    child = await killed(page, child);
    await again(context, page);
    await narrow(browser, context);
    report.copy = await otherVideo(context, page);
    report.takes = await otherTakes(context);
  } finally {
    await browser.close();
    child.kill("SIGINT");
    await ended(child);
  }
  report.console = report.console.filter((one) => !EXPECTED.test(one));
  return report;
}

/** Write down in the page what is shown, however shortly: looking in from here may come too late. Runs in the page. */
function note() {
  globalThis.noted = new Set();
  const look = () => {
    for (const one of document.querySelectorAll("progress")) {
      if (one.checkVisibility()) globalThis.noted.add(one.ariaLabel ?? one.labels[0]?.textContent);
    }
  };
  new MutationObserver(look).observe(document, { attributes: true, childList: true, subtree: true });
}

async function byKeyboard(page) {
  const steps = report.steps;
  // Two more, so that there is something to move and to merge.
  for (let number = 0; number < 2; number += 1) {
    await page.focus('#next [data-key="next-0"]');
    await page.keyboard.press("Enter");
  }
  steps.addedByKey = (await kept(page)).length - report.seeded;
  await page.focus("#curve");
  await page.keyboard.press("Home");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  steps.shiftArrow = await position(page);
  await page.keyboard.press("ArrowRight");
  steps.arrow = await position(page);
  await page.keyboard.press("Space");
  await page.waitForFunction(() => !document.getElementById("video").paused);
  await page.waitForFunction(
    (from) => document.getElementById("video").currentTime > from,
    steps.arrow + 0.1,
  );
  await page.keyboard.press("l");
  await page.keyboard.press("l");
  steps.fast = await page.$eval("#video", (one) => one.playbackRate);
  await page.keyboard.press("k");
  steps.stopped = await page.$eval("#video", (one) => one.paused);
  const before = await position(page);
  await page.keyboard.press("j");
  await page.waitForFunction(
    (from) => Number(document.getElementById("curve").getAttribute("aria-valuenow")) < from - 0.15,
    before,
  );
  await page.keyboard.press("k");

  // Moments by arrows; the first is trimmed at both ends, by keys.
  for (let number = 0; number < 4; number += 1) await page.keyboard.press("ArrowUp");
  const first = await selected(page);
  const [start, end] = bounds(first.words);
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("i");
  const trimmed = bounds((await selected(page)).words);
  steps.in = trimmed[0] - start;
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("o");
  steps.out = bounds((await selected(page)).words)[1] - (start + 2);
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  steps.undone = bounds((await selected(page)).words).join() === [start, end].join();
  await page.keyboard.press("Control+Shift+z");
  steps.redone = bounds((await selected(page)).words)[0] === trimmed[0];
  await page.keyboard.press("Control+z");

  await page.keyboard.press("x");
  steps.dropped = (await selected(page)).keep === false;
  await page.keyboard.press("x");
  steps.keptAgain = (await selected(page)).keep === true;
  await page.keyboard.press("p");
  steps.pinned = (await selected(page)).pinned;
  const count = (await kept(page)).length;
  const was = (await selected(page)).id;
  await page.keyboard.press("s");
  const swapped = await rows(page);
  steps.swapped =
    swapped.filter((one) => one.keep).length === count &&
    swapped.find((one) => one.id === was).keep === false;
  await page.keyboard.press("Control+z");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("c");
  steps.split = (await kept(page)).length - count;
  await page.keyboard.press("m");
  steps.merged = (await kept(page)).length - count;
  await page.keyboard.press("Alt+ArrowDown");
  steps.moved = (await kept(page)).findIndex((one) => one.selected);
  steps.ownOrder = await page.$eval("#order", (one) => one.value);
  await page.keyboard.press("a");
  steps.avoided = await page.$$eval("#avoided li", (all) => all.length);
  await page.keyboard.press("Control+z");
  // Somewhere without a moment: N keeps what is there.
  const lone = (await kept(page)).length;
  await page.keyboard.press("End");
  await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("n");
  steps.added = (await kept(page)).length - lone;
  // A button that goes away leaves the focus to what came into its place, not to the page.
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  await page.focus('#moments .moment:not(.dropped) [data-key^="Drop"]');
  await page.keyboard.press("Enter");
  steps.focus = [await focused()];
  await page.focus("#undo");
  await page.keyboard.press("Enter");
  await page.focus('#moments .moment:not(.dropped) [data-key^="Swap"]');
  await page.keyboard.press("Enter");
  steps.focus.push(await focused());
  await page.keyboard.press("Control+z");
  await page.focus("#curve");
  await page.keyboard.press("?");
  await page.waitForSelector("#dialog[open]");
  await judge(page, "keys");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#dialog:not([open])", { state: "attached" });
  // From the first moment on: the last one is soon over, and the cut with it.
  for (let number = 0; number < 5; number += 1) await page.keyboard.press("ArrowUp");
  const pressed = () => page.getAttribute("#play-cut", "aria-pressed");
  await page.keyboard.press("r");
  steps.playsCut = [await pressed()];
  await page.keyboard.press("r");
  steps.playsCut.push(await pressed());
  await saved(page);
}

async function byMouse(page) {
  const steps = report.steps;
  await page.click("#zoom-all");
  // Asked for anew each time: what is clicked may scroll.
  const plot = () => page.locator("#curve .u-over").boundingBox();
  let over = await plot();
  const length = await page.$eval("#curve", (one) => Number(one.getAttribute("aria-valuemax")));
  const x = (at) => over.x + (at / length) * over.width;
  await page.mouse.click(x(length / 2), over.y + 50);
  steps.jump = Math.abs((await position(page)) - length / 2);

  // The slider cuts anew at once; a pinned moment stays.
  const slider = await page.locator("#length").boundingBox();
  const pinned = (await rows(page)).find((one) => one.pinned)?.id;
  await page.mouse.move(slider.x + slider.width / 2, slider.y + slider.height / 2);
  await page.mouse.down();
  await page.mouse.move(slider.x + slider.width * 0.3, slider.y + slider.height / 2, { steps: 5 });
  const during = await page.$eval("#total", (one) => one.textContent);
  await page.mouse.up();
  const [target, made] = [await total(page), await page.$eval("#total", (one) => one.textContent)];
  steps.slider = { target, made: seconds(made.split(" ")[0]), atOnce: during === made };
  steps.stayed = (await kept(page)).some((one) => one.id === pinned);

  // An end is dragged: it snaps to a cut.
  const [moment] = await kept(page);
  await page.click(`#moments [data-key="still-${moment.id}"]`);
  await page.click("#zoom-moment");
  over = await plot();
  const [start, end] = bounds((await selected(page)).words);
  const margin = Math.max(2, (end - start) / 2);
  const low = Math.max(0, start - margin);
  const high = low + end - start + 2 * margin;
  const at = (value) => over.x + ((value - low) / (high - low)) * over.width;
  await page.mouse.move(at(end), over.y + 50);
  await page.mouse.down();
  await page.mouse.move(at(end - 0.7), over.y + 50, { steps: 6 });
  await page.mouse.up();
  steps.drag = end - bounds((await selected(page)).words)[1];
  await page.click("#undo");
  steps.undoDrag = bounds((await selected(page)).words)[1] === end;
  await page.click("#zoom-all");

  const count = (await kept(page)).length;
  const row = page.locator("#moments .moment").first();
  await row.getByRole("button", { name: /^Drop/ }).click();
  steps.clickDrop = (await kept(page)).length - count;
  await page.click("#undo");
  const fresh = page.locator("#moments .moment").first();
  await fresh.getByRole("button", { name: /^Swap/ }).click();
  await page.locator("#moments .moment.selected").getByRole("button", { name: /^Pin/ }).click();
  steps.clickPin = (await selected(page)).pinned;
  await page.locator("#next .moment").first().getByRole("button", { name: /^Add/ }).click();
  steps.clickAdd = (await kept(page)).length - count;
  await page
    .locator("#moments .moment.selected")
    .getByRole("button", { name: /^Avoid/ })
    .click();
  await page.locator("#avoided button").first().click();
  steps.allowed = await page.$$eval("#avoided li", (all) => all.length);
  await page
    .locator("#moments .moment")
    .nth(1)
    .getByRole("button", { name: /earlier/ })
    .click();
  steps.clickMove = await page.$eval("#order", (one) => one.value);
  await page.selectOption("#order", "time");
  await page.click("#play");
  await page.waitForFunction(() => !document.getElementById("video").paused);
  await page.click("#play");
  over = await plot();
  await page.mouse.move(x(10), over.y + 50);
  await page.mouse.wheel(0, -300);
  await page.mouse.wheel(120, 0);
  await page.click("#zoom-out");
  await page.click("#zoom-in");
  await page.click("#zoom-all");
  await saved(page);
}

/** What words find is marked on the curve, listed, looked at and added, by keyboard and by mouse. */
async function finding(page) {
  const steps = report.steps;
  const count = (await kept(page)).length;
  await page.focus("#curve");
  await page.keyboard.press("/");
  await page.keyboard.type("squirrel kijkt");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#found .moment");
  steps.found = await page.$$eval("#found .words", (all) => all.map((one) => one.textContent));
  await page.focus("#curve");
  await page.keyboard.press("]");
  await judge(page, "found");
  await shoot(page, "review-find");
  const [start] = bounds(steps.found[0]);
  steps.foundByKey = (await position(page)) - start;
  await page.keyboard.press("Home");
  const plot = await page.locator("#curve .u-over").boundingBox();
  const length = await page.$eval("#curve", (one) => Number(one.getAttribute("aria-valuemax")));
  await page.mouse.click(plot.x + (start / length) * plot.width, plot.y + 4);
  steps.foundByMark = (await position(page)) - start;
  await page.locator("#found .moment").first().getByRole("button", { name: /^Add/ }).click();
  steps.foundAdded = (await kept(page)).length - count;
  steps.foundWords = (await selected(page)).words;
  await page.click("#undo");
  await page.fill("#words", "zeppelin");
  await page.click("#find-ok");
  await page.waitForFunction(() => /^Nothing found/.test(document.getElementById("found-title").textContent));
  await page.click("#found-clear");
  steps.foundCleared = await page.isHidden("#found-part");
}

async function results(page) {
  await page.click("#export");
  await judge(page, "export");
  await page.selectOption("#export-format", ".fcpxml");
  await page.fill("#export-folder", settings.folder);
  await page.fill("#export-name", "cut");
  await page.click("#dialog-ok");
  await page.waitForSelector("#jobs li:has-text('Export') >> text=/done/");
  report.exported = existsSync(path.join(settings.folder, "cut.fcpxml"));
  // It is there already: said in the question, nothing is lost.
  await page.click("#export");
  await page.selectOption("#export-format", ".fcpxml");
  await page.fill("#export-folder", settings.folder);
  await page.fill("#export-name", "cut");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("dialog-error").textContent !== "");
  report.refused = await page.textContent("#dialog-error");
  await page.click("#dialog-cancel");

  // A short film is soon made.
  while ((await kept(page)).length > 1) {
    await page
      .locator("#moments .moment:not(.dropped)")
      .last()
      .getByRole("button", { name: /^Drop/ })
      .click();
  }
  await page.click("#render");
  await judge(page, "render");
  await page.fill("#render-folder", settings.folder);
  await page.fill("#render-name", "reel");
  await page.selectOption("#render-size", "480p");
  await page.click("#dialog-ok");
  await page.waitForSelector("#jobs li:has-text('Render') >> text=/done/");
  report.rendered = existsSync(path.join(settings.folder, "reel.mp4"));

  await page.click("#learn");
  await judge(page, "learn");
  await page.fill("#learn-name", "taught-by-the-page");
  await page.click("#dialog-ok");
  await page.waitForSelector("#jobs li:has-text('Learn') >> text=/done/");
  report.learnt = await page.textContent("#jobs li:first-child");
}

/** Two tabs on one review: the second does not write over the first without a word. */
async function otherTab(context, page) {
  const other = await newPage(context);
  await other.addInitScript((token) => sessionStorage.setItem("token", token), await token(page));
  await other.goto(page.url());
  await other.waitForSelector("#moments .moment .actions");
  // The page that lies behind does not look by itself.
  await other.click('#next [data-key="next-0"]');
  await saved(other);
  const theirs = await kept(other);
  await page.evaluate(() => document.querySelector('#next [data-key="next-1"]').click());
  await page.waitForFunction(() => /another tab/.test(document.getElementById("notice").textContent));
  report.conflict = { notice: await notice(page), saved: await page.textContent("#saved") };
  await judge(page, "conflict");
  await page.click("#notice button >> nth=0");
  await saved(page);
  report.conflict.loaded = JSON.stringify(ids(await kept(page))) === JSON.stringify(ids(theirs));
  await other.close();
}

const ids = (all) => all.map((one) => one.id);
const token = (page) => page.evaluate(() => sessionStorage.getItem("token"));

/** Kill -9 of the service in the over.y + 50 of editing: the page goes on when it is back, and nothing is lost. */
async function killed(page, child) {
  child.kill("SIGKILL");
  await ended(child);
  await page.bringToFront();
  await page.click("#moments .moment:not(.dropped) .actions button >> nth=0");
  await page.waitForFunction(() => /trying again/.test(document.getElementById("saved").textContent));
  report.unsaved = await notice(page);
  report.afterKill = ids(await kept(page));
  const back = await review();
  await saved(page);
  return back.child;
}

/** Opened again, it is as it was left. */
async function again(context, page) {
  const fresh = await newPage(context);
  await fresh.addInitScript((value) => sessionStorage.setItem("token", value), await token(page));
  await fresh.goto(page.url());
  await fresh.waitForSelector("#moments .moment .actions");
  report.reopened = ids(await kept(fresh));
  await fresh.close();
  // A ticket is good once.
  report.strangers = await page.evaluate(async () => (await fetch("/v1/reviews")).status);
}

async function narrow(browser, context) {
  const [first] = context.pages();
  const small = await browser.newContext({
    viewport: { width: 390, height: 844 },
    colorScheme: "dark",
    hasTouch: true,
    isMobile: true,
  });
  const page = await newPage(small);
  await page.addInitScript((value) => sessionStorage.setItem("token", value), await token(first));
  await page.goto(first.url());
  await page.waitForSelector("#moments .moment .actions");
  await page.waitForFunction(() => document.getElementById("video").readyState >= 2);
  report.narrowFits = await fits(page);
  await judge(page, "narrow");
  const before = (await kept(page)).length;
  await page.locator("#moments .moment").first().getByRole("button", { name: /^Drop/ }).tap();
  // A tap becomes a click some time after it.
  const counts = (count) =>
    page.waitForFunction(
      (wanted) => document.querySelectorAll("#moments .moment:not(.dropped)").length === wanted,
      count,
    );
  await counts(before - 1);
  await page.tap("#undo");
  await counts(before);
  await saved(page);
  await page.evaluate(() => scrollTo(0, 0));
  await shoot(page, "review-narrow-dark");
  await small.close();
  const dark = await newPage(context);
  await dark.emulateMedia({ colorScheme: "dark" });
  await dark.addInitScript((value) => sessionStorage.setItem("token", value), await token(first));
  await dark.goto(first.url());
  await dark.waitForSelector("#moments .moment .actions");
  await judge(dark, "dark");
  await shoot(dark, "review-dark");
  await dark.close();
}

/** The second video is of a kind that no browser plays: a small copy is made, with progress. */
async function otherVideo(_context, page) {
  if (settings.videos.length < 2) return null;
  await page.click("#videos button >> nth=1");
  await page.waitForFunction(() => [...globalThis.noted].some((one) => one.includes("a small copy is made")));
  await page.waitForFunction(() => {
    const video = document.getElementById("video");
    return document.getElementById("making").hidden && video.videoWidth > 0 && video.readyState >= 2;
  });
  await page.click("#zoom-all");
  await page.focus("#curve");
  await page.keyboard.press("Shift+ArrowRight");
  return {
    width: await page.$eval("#video", (one) => one.videoWidth),
    position: await position(page),
  };
}

/** A moment that has other takes: each comes into its place, by key and by mouse. */
async function otherTakes(context) {
  const { address, child } = await review([settings.takes]);
  await ended(child);
  const page = await newPage(context);
  await page.goto(address);
  await page.waitForSelector("#moments .moment .actions");
  const seen = [];
  const see = async () => {
    await saved(page);
    seen.push(...(await kept(page)).map((one) => bounds(one.words)[0]));
    seen.push(await page.textContent('#moments [data-key^="take-"]'));
  };
  await see();
  await page.focus("#curve");
  await page.keyboard.press("t");
  await see();
  await page.click('#moments [data-key^="take-"]');
  await see();
  await page.keyboard.press("Shift+T");
  await see();
  await judge(page, "takes");
  await shoot(page, "review-takes");
  await page.close();
  return seen;
}

run(main, report);
