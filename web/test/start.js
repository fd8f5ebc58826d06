// What the tests of the page in a browser begin with: `hl review`, and a Chromium.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

/** Run `hl review` and give its process and the address that it prints. */
export async function review(settings) {
  const words = ["-m", "hlcli", "review", "--no-browser", "--port", settings.port, ...settings.videos];
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
export function ended(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("exit", resolve);
  });
}

/**
 * Chromium sometimes hangs while it starts on a busy machine, before any of our code has run: such a
 * start is given up and tried again. What the page then does is tried once.
 */
export async function launch(settings) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await chromium.launch({
        executablePath: settings.chromium,
        timeout: 60_000,
        // Root has no sandbox in a container; the page is our own.
        args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"],
      });
    } catch (error) {
      if (attempt === 3) throw error;
      console.error(`Chromium did not start, attempt ${attempt}: ${error.message}`);
    }
  }
}
