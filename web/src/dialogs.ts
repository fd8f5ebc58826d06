// Questions before something is written, and the list of keys.

import { inWords } from "../../plugins/premiere/panel/errors.js";
import { byId, make } from "./dom.ts";
import type { Page } from "./main.ts";

const KEYS: [string, string][] = [
  ["Space", "play or pause"],
  ["J K L", "backwards, stop, forwards; J and L faster with each press"],
  ["← →", "one frame; with Shift one second"],
  ["↑ ↓", "moment before, moment after"],
  ["Alt+↑ Alt+↓", "move the moment in the film"],
  ["I O", "the moment begins, ends here"],
  ["X", "drop, or keep again"],
  ["S", "swap for the next best"],
  ["T", "the next take of the same; with Shift the one before"],
  ["N", "keep what is here"],
  ["C M", "split here; merge with the next"],
  ["P A", "pin; avoid"],
  ["R", "play the cut"],
  ["/", "find by words; then [ and ]: what was found before, after"],
  ["+ − 0 Z", "zoom in, out, all, to the moment"],
  ["Page Up, Page Down", "half a screen of the curve"],
  ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
  ["E", "export"],
];

interface Question {
  title: string;
  ok: string;
  body: Node[];
  /** Does it; what it throws is shown, and the question stays. */
  act?: () => Promise<void>;
}

function ask({ title, ok, body, act }: Question): void {
  const dialog = byId<HTMLDialogElement>("dialog");
  const form = dialog.querySelector("form");
  const error = byId("dialog-error");
  if (!form || dialog.open) return;
  byId("dialog-title").textContent = title;
  byId("dialog-body").replaceChildren(...body);
  error.textContent = "";
  const submit = byId<HTMLButtonElement>("dialog-ok");
  const cancel = byId<HTMLButtonElement>("dialog-cancel");
  submit.textContent = ok;
  submit.disabled = false;
  cancel.hidden = act === undefined;
  cancel.onclick = () => dialog.close();
  form.onsubmit = (event) => {
    event.preventDefault();
    if (!act) return dialog.close();
    submit.disabled = true;
    error.textContent = "";
    act()
      .then(() => dialog.close())
      .catch((thrown: unknown) => {
        const { message, hint } = inWords(thrown);
        error.textContent = `${message}${hint ? ` (${hint})` : ""}`;
      })
      .finally(() => {
        submit.disabled = false;
      });
  };
  dialog.showModal();
}

function field(words: string, input: HTMLElement): HTMLElement {
  return make("label", { class: "field" }, words, input);
}

function text(id: string, value: string): HTMLInputElement {
  return make("input", { type: "text", id, value, autocomplete: "off", spellcheck: "false" });
}

function choice(id: string, options: [string, string][]): HTMLSelectElement {
  return make("select", { id }, ...options.map(([value, words]) => make("option", { value }, words)));
}

function tick(id: string, words: string): { input: HTMLInputElement; label: HTMLElement } {
  const input = make("input", { type: "checkbox", id });
  return { input, label: make("label", { class: "field row" }, make("span", {}, input, ` ${words}`)) };
}

function stem(page: Page): string {
  const [first] = page.review.videos;
  const name =
    page.review.videos.length > 1 ? "highlights" : `${first?.name.replace(/\.[^.]*$/, "") ?? ""}-highlights`;
  return name;
}

function joined(folder: string, name: string): string {
  const slash = folder.includes("\\") && !folder.includes("/") ? "\\" : "/";
  return folder.endsWith(slash) ? folder + name : folder + slash + name;
}

export function askExport(page: Page): void {
  const format = choice(
    "export-format",
    page.review.formats.map((one) => [one.suffix, `${one.title} (${one.suffix})`]),
  );
  const target = choice("export-for", []);
  const fill = (): void => {
    const chosen = page.review.formats.find((one) => one.suffix === format.value);
    target.replaceChildren(...(chosen?.targets ?? []).map((one) => make("option", { value: one }, one)));
  };
  format.addEventListener("change", fill);
  fill();
  const folder = text("export-folder", page.review.folder);
  const name = text("export-name", stem(page));
  const markers = tick("export-markers", "markers only, nothing is cut");
  const over = tick("export-overwrite", "write over a file that is there");
  ask({
    title: "Export",
    ok: "Export",
    body: [
      field("Format", format),
      field("For the program", target),
      field("Folder", folder),
      field("Name", name),
      markers.label,
      over.label,
    ],
    act: () => {
      const output = joined(folder.value.trim(), name.value.trim() + format.value);
      const options: Record<string, unknown> = { output, overwrite: over.input.checked, for: target.value };
      if (markers.input.checked) options.markers_only = true;
      return page.send("export", options, `Export to ${output}`);
    },
  });
}

export function askRender(page: Page): void {
  const folder = text("render-folder", page.review.folder);
  const name = text("render-name", stem(page));
  const kind = choice("render-kind", [
    [".mp4", "MP4 (H.264, AAC)"],
    [".mov", "MOV (H.264, PCM)"],
    [".mkv", "MKV (H.264, FLAC)"],
  ]);
  const size = choice("render-size", [
    ["", "as the first video"],
    ["2160p", "2160p"],
    ["1080p", "1080p"],
    ["720p", "720p"],
    ["480p", "480p"],
  ]);
  const vertical = tick("render-vertical", "vertical, 9:16, following the action");
  const over = tick("render-overwrite", "write over a file that is there");
  ask({
    title: "Render a reel",
    ok: "Render",
    body: [
      field("Kind", kind),
      field("Size", size),
      field("Folder", folder),
      field("Name", name),
      vertical.label,
      over.label,
    ],
    act: () => {
      const output = joined(folder.value.trim(), name.value.trim() + kind.value);
      const options: Record<string, unknown> = { output, overwrite: over.input.checked };
      if (size.value) options.size = size.value;
      if (vertical.input.checked) options.vertical = true;
      return page.send("render", options, `Render ${output}`);
    },
  });
}

export function askLearn(page: Page): void {
  const name = text("learn-name", "my-taste");
  const dropped = page.edit.moments.filter((one) => !one.keep).length + page.edit.avoid.length;
  const kept = page.edit.moments.length - page.edit.moments.filter((one) => !one.keep).length;
  ask({
    title: "Learn from this",
    ok: "Learn",
    body: [
      make(
        "p",
        {},
        `A model of your own learns from ${kept} kept and ${dropped} dropped spans; what you said nothing about ` +
          (dropped ? "says nothing." : "counts as passed over."),
      ),
      field("Name of the model", name),
      make("p", { class: "secondary" }, `Use it with: hl score VIDEO --model ${name.value}`),
    ],
    act: () => page.send("learn", { name: name.value.trim() }, `Learn ${name.value.trim()}`),
  });
}

export function showHelp(): void {
  const list = make("dl", { class: "keys" });
  for (const [keys, words] of KEYS) {
    list.append(make("dt", {}, make("kbd", {}, keys)), make("dd", {}, words));
  }
  ask({ title: "Keys", ok: "Close", body: [list] });
}
