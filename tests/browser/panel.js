// The panel itself in a browser, against a running `hl serve`: pair, score a real video, move the sliders, create the
// sequence in the fake Premiere. Settings come as JSON in the first argument, what was seen goes to stdout as JSON.
//   {"chromium", "plugin": folder, "port", "code", "clips": [{name, path, rate, seconds}], "theme": "dark", "shots": folder or null,
//    "spectrum": whether UXP's widgets are there, "count": moments to choose, "otio", "xml": as in fake_ppro.js}
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { launch, openPage, run, settings } = require("./start.js");

const panel = path.join(settings.plugin, "panel");

/** The page's `require`: the panel's own files, and fakes of what the host gives. Runs in the page. */
function installHost({ sources, clips, otio, xml, theme, spectrum }) {
  const cache = {};
  globalThis.seen = { stages: [], errors: [] };
  globalThis.addEventListener("error", (event) => globalThis.seen.errors.push(event.message));
  globalThis.addEventListener("unhandledrejection", (event) => globalThis.seen.errors.push(String(event.reason)));
  const stored = {};
  const uxp = {
    storage: {
      secureStorage: {
        async setItem(key, value) {
          stored[key] = Uint8Array.from(value, (letter) => letter.charCodeAt(0));
        },
        async getItem(key) {
          return stored[key];
        },
        async removeItem(key) {
          delete stored[key];
        },
      },
      localFileSystem: {
        async getFileForOpening() {
          const nativePath = globalThis.fileToOpen;
          return nativePath ? { nativePath, read: () => globalThis.readFile(nativePath) } : null;
        },
      },
    },
  };
  if (spectrum) {
    uxp.host = { name: "premierepro", version: "25.6.0" };
    // Stand-ins for UXP's widgets: attributes as theirs, focus and keys as those of a button.
    customElements.define(
      "sp-button",
      class extends HTMLElement {
        connectedCallback() {
          this.tabIndex = 0;
          this.setAttribute("role", "button");
          this.style.cssText = "padding: 4px 12px; border: 1px solid; border-radius: 14px; white-space: nowrap";
          this.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && this.click());
          const stop = (event) => this.hasAttribute("disabled") && event.stopImmediatePropagation();
          this.addEventListener("click", stop, true);
        }
      },
    );
    customElements.define("sp-progressbar", class extends HTMLElement {});
  }
  const listeners = [];
  document.theme = { getCurrent: () => theme, onUpdated: { addListener: (listener) => listeners.push(listener) } };
  globalThis.setTheme = (name) => listeners.forEach((listener) => listener(name));
  globalThis.require = (name) => {
    if (name === "uxp") return uxp;
    if (name === "premierepro") {
      const { makePremiere } = globalThis.require("./fake_ppro.js");
      globalThis.premiere = globalThis.premiere || makePremiere({ readFile: (file) => globalThis.readFile(file), clips, otio, xml });
      return globalThis.premiere.ppro;
    }
    const file = name.replace(/^\.\//, "");
    if (!(file in sources)) throw new Error(`UXP has no module ${name}`);
    if (!cache[file]) {
      cache[file] = { exports: {} };
      new Function("module", "exports", "require", sources[file])(cache[file], cache[file].exports, globalThis.require);
    }
    return cache[file].exports;
  };
}

function sources() {
  const found = {};
  for (const folder of [panel, path.join(settings.plugin, "test")]) {
    for (const file of fs.readdirSync(folder)) {
      if (file.endsWith(".js")) found[file] = fs.readFileSync(path.join(folder, file), "utf8");
    }
  }
  return found;
}

async function main() {
  const browser = await launch();
  const report = { console: [], steps: [] };
  const page = await openPage(browser, report.console, { viewport: { width: 380, height: 560 } });
  await page.exposeFunction("readFile", (file) => fs.promises.readFile(file, "utf8"));
  await page.addInitScript(installHost, {
    sources: sources(),
    clips: settings.clips,
    otio: settings.otio || "whole",
    xml: settings.xml || "whole",
    theme: settings.theme,
    spectrum: settings.spectrum || false,
  });
  const shoot = async (name) => {
    if (settings.shots) {
      await page.screenshot({ path: path.join(settings.shots, `premiere-panel-${name}-${settings.theme}.png`), fullPage: true });
    }
  };
  const text = async (id) => ((await page.isVisible(`#${id}`)) ? page.textContent(`#${id}`) : "");
  const step = async (name) => {
    report.steps.push({ name, connection: await text("connection"), message: await text("message-text"), hint: await text("message-hint") });
    await shoot(name);
  };
  const idle = () => page.waitForFunction(() => !document.getElementById("import-file").hasAttribute("disabled"));

  await page.goto(`file://${path.join(panel, "index.html")}`);
  await idle();
  if (settings.port !== "8765") {
    await page.fill("#port", settings.port);
    await page.click("#connect");
    await idle();
  }
  await step("pairing");
  await page.fill("#code", "000000" === settings.code ? "111111" : "000000");
  await page.keyboard.press("Enter");
  await idle();
  await step("wrong-code");
  await page.fill("#code", settings.code);
  await page.click("#pair");
  await page.waitForSelector("#clips-section", { state: "visible" });
  await idle();
  await step("clips");

  // By the keyboard alone: Tab to the first clip, Space ticks it, Tab on to the button, Space presses it.
  await page.focus("#select-bin");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  report.ticked = await page.isChecked("#clip-0");
  // Written down in the page: looking in from here would miss what is shown for an instant.
  await page.evaluate(() => {
    const stage = document.getElementById("stage");
    new MutationObserver(() => globalThis.seen.stages.push(stage.textContent)).observe(stage, {
      characterData: true,
      childList: true,
      subtree: true,
    });
  });
  await page.focus("#score");
  await page.keyboard.press("Space");
  // A click makes the panel busy before it returns, so to wait until it is idle is enough.
  if (settings.shots) {
    await page.waitForFunction(() => document.getElementById("progress").value > 20);
    await shoot("progress");
  }
  await idle();
  report.stages = await page.evaluate(() => [...new Set(globalThis.seen.stages)].filter(Boolean));
  const pictures = () =>
    page.waitForFunction(() => {
      const images = [...document.querySelectorAll(".thumbnail img")];
      return images.length > 0 && images.every((image) => image.complete && image.naturalHeight > 0);
    });
  await pictures();
  report.automatic = { summary: await text("summary"), thumbnails: await page.locator(".thumbnail img").count() };
  report.curve = await page.evaluate(() => {
    const canvas = document.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let at = 3; at < data.length; at += 4) painted += data[at] > 0 ? 1 : 0;
    return painted / (canvas.width * canvas.height);
  });
  await step("scored");

  await page.click("#mode-count");
  await page.focus("#amount");
  await page.keyboard.press("Home");
  for (let press = 1; press < settings.count; press += 1) await page.keyboard.press("ArrowRight");
  await page.waitForFunction((count) => document.querySelectorAll(".thumbnail").length === count, settings.count);
  await pictures();
  report.counted = { summary: await text("summary"), amount: await text("amount-text") };
  await step("count");

  await page.click("#create");
  await idle();
  await step("sequence");
  report.premiere = await page.evaluate(() => {
    const plain = (value) => JSON.parse(JSON.stringify(value, (_, one) => (typeof one === "bigint" ? one.toString() : one)));
    return plain({ sequences: globalThis.premiere.state.sequences, log: globalThis.premiere.log });
  });
  // The path without the service: the same file, picked in a dialog.
  await page.evaluate(() => (globalThis.fileToOpen = globalThis.premiere.log.imports[0]));
  await page.click("#import-file");
  await idle();
  report.sequencesAfterImport = await page.evaluate(() => globalThis.premiere.state.sequences.map((one) => one.name));
  await step("imported");
  await page.evaluate(() => globalThis.setTheme("light"));
  report.lightBackground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  report.widgets = await page.evaluate(() => [...document.querySelectorAll("sp-button, sp-progressbar")].length);
  report.plainWidgets = await page.evaluate(() => [...document.querySelectorAll("button, progress")].length);
  report.errors = await page.evaluate(() => globalThis.seen.errors);
  await browser.close();
  return report;
}

run(main);
