// How long the page is busy while the curve of a ten-hour video is panned and zoomed, by the browser's own trace.
// Settings come as JSON in the first argument, figures in milliseconds go to stdout as JSON.
//   {"chromium", "python", "port", "videos": [path], "shots": folder or null}
"use strict";

const path = require("node:path");
const { ended, launch, review, run, settings } = require("./start.js");

async function main() {
  const { child, address } = await review();
  const browser = await launch();
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.setDefaultTimeout(120_000);
    await page.goto(address);
    await page.waitForSelector("#moments .moment .actions");
    await page.waitForSelector("#curve .u-over");
    await page.waitForTimeout(2000);
    const over = await page.locator("#curve .u-over").boundingBox();
    const [middle, y] = [over.x + over.width / 2, over.y + 40];
    await browser.startTracing(page, {
      categories: ["toplevel", "disabled-by-default-devtools.timeline", "blink.user_timing"],
    });
    await page.evaluate(() => performance.mark("begin"));
    // All of it, an hour, ten minutes: by the wheel and by dragging.
    for (const zoom of [0, 3, 4]) {
      await page.mouse.move(middle, y);
      for (let number = 0; number < zoom; number += 1) await page.mouse.wheel(0, -300);
      for (let number = 0; number < 20; number += 1) await page.mouse.wheel(60 * (number < 10 ? 1 : -1), 0);
      await page.mouse.down();
      for (let number = 1; number <= 30; number += 1) await page.mouse.move(middle - 15 * number, y);
      for (let number = 29; number >= 0; number -= 1) await page.mouse.move(middle - 15 * number, y);
      await page.mouse.up();
    }
    await page.evaluate(() => performance.mark("end"));
    const trace = JSON.parse((await browser.stopTracing()).toString());
    const marks = trace.traceEvents.filter((one) => one.cat?.includes("blink.user_timing"));
    const [begin, end] = ["begin", "end"].map((name) => marks.find((one) => one.name === name));
    // The thread that the marks are from is the page's main thread.
    const tasks = trace.traceEvents.filter(
      (one) =>
        one.ph === "X" &&
        one.name === "RunTask" &&
        one.pid === begin.pid &&
        one.tid === begin.tid &&
        one.ts >= begin.ts &&
        one.ts <= end.ts,
    );
    // Beside other work a task takes longer than the processor is busy with it: both are said.
    const busy = tasks.map((one) => (one.tdur ?? 0) / 1000).sort((a, b) => b - a);
    // What the busiest tasks did, to know where to look.
    const worst = [...tasks].sort((a, b) => (b.tdur ?? 0) - (a.tdur ?? 0)).slice(0, 3);
    const inside = worst.map((task) =>
      trace.traceEvents
        .filter((one) => one.ph === "X" && one.tid === task.tid && one.pid === task.pid && one !== task)
        .filter((one) => one.ts >= task.ts && one.ts + one.dur <= task.ts + task.dur && one.dur > 2000)
        .map((one) => `${one.name} ${((one.tdur ?? one.dur) / 1000).toFixed(1)}`),
    );
    const lengths = tasks.map((one) => one.dur / 1000).sort((a, b) => b - a);
    const clips = await page.$eval("#curve", (one) => Number(one.getAttribute("aria-valuemax")));
    if (settings.shots) await page.screenshot({ path: path.join(settings.shots, "review-long.png") });
    return {
      seconds: clips,
      took: (end.ts - begin.ts) / 1e6,
      tasks: lengths.length,
      longest: lengths[0],
      long: lengths.filter((one) => one > 50).length,
      longestBusy: busy[0],
      inside,
      longBusy: busy.filter((one) => one > 50).length,
      totalBusy: busy.reduce((sum, one) => sum + one, 0),
      total: lengths.reduce((sum, one) => sum + one, 0),
    };
  } finally {
    await browser.close();
    child.kill("SIGINT");
    await ended(child);
  }
}

run(main);
