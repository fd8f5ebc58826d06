// What every script in this folder begins with: its settings, a Chromium, and where wanted an `hl review`.
"use strict";

const { spawn } = require("node:child_process");
const { createInterface } = require("node:readline");
const { chromium } = require("playwright-core");

/** Given as JSON in the first argument. */
const settings = JSON.parse(process.argv[2]);

/** Longest wait for any state, in milliseconds: a bound for what never comes, not a speed that is expected. */
const PATIENCE = 240_000;

/**
 * Chromium sometimes hangs while it starts on a busy machine, before any of our code has run: such a
 * start is given up and tried again. What the page then does is tried once.
 */
async function launch() {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await chromium.launch({
        executablePath: settings.chromium,
        timeout: 60_000,
        // Root has no sandbox in a container; the pages are our own.
        args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"],
      });
    } catch (error) {
      if (attempt === 3) throw error;
      console.error(`Chromium did not start, attempt ${attempt}: ${error.message}`);
    }
  }
}

/** Open a page; errors and warnings that it prints or throws are added to `said`. */
async function openPage(owner, said, options) {
  const page = await owner.newPage(options);
  page.setDefaultTimeout(PATIENCE);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) said.push(message.text());
  });
  page.on("pageerror", (error) => said.push(`thrown: ${error.message}`));
  if (settings.slow) {
    // To try by hand what a slow machine does: HL_BROWSER_SLOW=6 makes the page six times slower.
    const session = await page.context().newCDPSession(page);
    await session.send("Emulation.setCPUThrottlingRate", { rate: settings.slow });
  }
  return page;
}

/** Run `hl review` and give its process and the address that it prints. */
async function review(videos = settings.videos) {
  const words = ["-m", "hlcli", "review", "--no-browser", "--port", settings.port, ...videos];
  const child = spawn(settings.python, words, { stdio: ["ignore", "pipe", "inherit"] });
  // However this process ends, that one does not stay behind.
  process.once("exit", () => child.kill("SIGKILL"));
  const address = await new Promise((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`hl review ended with ${code}`)));
  });
  return { child, address };
}

/** Wait until a process is gone. */
function ended(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("exit", resolve);
  });
}

/** Run a script: what it returns goes to stdout as JSON, an error to stderr with what was seen until then. */
function run(main, seen = {}) {
  main().then(
    (result) => process.stdout.write(JSON.stringify(result)),
    (error) => {
      process.stderr.write(`${error.stack}\n${JSON.stringify(seen)}\n`);
      process.exit(1);
    },
  );
}

module.exports = { ended, launch, openPage, review, run, settings };
