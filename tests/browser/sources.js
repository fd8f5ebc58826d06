// Sources of many kinds in the page of a real `hl review`: which frame is shown where, and what is exported.
// Settings come as JSON in the first argument, what was seen goes to stdout as JSON.
//   {"chromium", "python", "port", "videos": [paths], "wanted": for each "source" or "proxy", "folder": where the export goes}
"use strict";

const { ended, launch, openPage, review, run, settings } = require("./start.js");

const FRAMES = [0, 1, 17];
const report = { console: [], videos: [] };

/** The number that `media_factory` painted on the frame that is shown. */
const shownFrame = (page) =>
  page.$eval("#video", (video) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    const row = Math.floor(canvas.height * 0.9);
    let number = 0;
    for (let bit = 0; bit < 12; bit += 1) {
      const [red, green, blue] = context.getImageData(Math.floor(((bit + 0.5) * canvas.width) / 12), row, 1, 1).data;
      if (red + green + blue > 3 * 128) number += 1 << bit;
    }
    return number;
  });

async function main() {
  const { address, child } = await review();
  const browser = await launch();
  const context = await browser.newContext();
  const page = await openPage(context, report.console);
  await page.goto(address);
  await page.waitForSelector("#moments .moment .actions");
  for (let video = 0; video < settings.videos.length; video += 1) {
    await page.click(`[data-key="video-${video}"]`);
    const name = await page.textContent(`[data-key="video-${video}"]`);
    // Each is shown by its file or by its small copy.
    await page.waitForFunction((wanted) => {
      const { currentSrc, readyState, seeking } = document.getElementById("video");
      return currentSrc.includes(`of=${wanted}`) && readyState >= 2 && !seeking;
    }, settings.wanted[video]);
    await page.focus("#curve");
    await page.keyboard.press("Home");
    const frames = [];
    let at = 0;
    for (const wanted of FRAMES) {
      for (; at < wanted; at += 1) await page.keyboard.press("ArrowRight");
      await page.waitForFunction(() => {
        const { readyState, seeking } = document.getElementById("video");
        return readyState >= 2 && !seeking;
      });
      frames.push(await shownFrame(page));
    }
    const sound = await page.$eval("#video", (one) => one.webkitAudioDecodedByteCount > 0);
    report.videos.push({ name, frames, sound });
  }
  await page.click("#export");
  await page.selectOption("#export-format", ".otio");
  await page.fill("#export-folder", settings.folder);
  await page.fill("#export-name", "sources");
  await page.click("#dialog-ok");
  await page.waitForSelector("#jobs li:has-text('Export') >> text=/done/");
  await browser.close();
  child.kill("SIGTERM");
  await ended(child);
  return report;
}

run(main, report);
