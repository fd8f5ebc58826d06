// The page: shows the state of the app and calls it. It asks for nothing that UXP lacks: no grid, no data
// attributes, no innerHTML.
// @ts-check

const { BAND_COLORS, drawCurve } = require("./curve.js");
const { bandColor, reasonsOf, twoDecimals } = require("./plan.js");
const { clock, counted, fileName } = require("./words.js");

/** @import { App } from "./app.js" */
/** @import { BinClip } from "./bin.js" */
/** @import { State } from "./state.js" */

/** Pictures shown of one clip at most; more would keep the service busy for nothing. */
const MOST_THUMBNAILS = 12;

/** The curve's line on the light theme and on the dark ones, as the secondary text of style.css. */
const LINE_COLORS = ["#5a5a5a", "#b4b4b4"];

class View {
  /** @param {Document} document */
  constructor(document) {
    this.document = document;
    /** @type {BinClip[] | null} */
    this.shownClips = null;
    /** @type {any[] | null} */
    this.shownDocuments = null;
    /** @type {(() => void)[]} */
    this.curves = [];
    /** @type {Map<string, HTMLInputElement>} */
    this.boxes = new Map();
  }

  /** @param {string} id @returns {any} */
  at(id) {
    return this.document.getElementById(id);
  }

  /**
   * Connect buttons and fields with the app.
   * @param {App} app
   */
  bind(app) {
    this.app = app;
    /** @type {[string, string, (event: any) => unknown][]} */
    const handlers = [
      ["connect", "click", () => app.connect(this.at("port").value.trim())],
      ["pair", "click", () => app.pair(this.at("code").value, this.at("port").value.trim())],
      ["refresh", "click", () => app.refresh()],
      ["select-all", "click", () => app.chooseAll()],
      ["select-bin", "click", () => app.chooseSelected()],
      ["score", "click", () => app.score()],
      ["cancel", "click", () => app.cancel()],
      ["create", "click", (event) => app.createSequence({ byHand: event.altKey === true })],
      ["import-file", "click", () => app.importFile()],
      ["mode-auto", "click", () => app.adjust({ mode: "auto" })],
      ["mode-length", "click", () => app.adjust({ mode: "length" })],
      ["mode-count", "click", () => app.adjust({ mode: "count" })],
      ["rank-order", "change", () => app.set({ rankOrder: this.at("rank-order").checked })],
      ["markers-only", "change", () => app.set({ markersOnly: this.at("markers-only").checked })],
      ["amount", "input", () => this.amountText(Number(this.at("amount").value))],
      ["amount", "change", () => app.adjust(this.amountChange(Number(this.at("amount").value)))],
    ];
    for (const [id, event, handler] of handlers) this.at(id).addEventListener(event, handler);
    this.at("code").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") app.pair(this.at("code").value, this.at("port").value.trim());
    });
  }

  /** @param {State} state */
  show(state) {
    const ready = state.connection === "ready";
    this.at("dot").className = `dot ${state.connection}`;
    this.text("connection", connectionWords(state));
    this.visible("connect", !ready);
    this.visible("pairing", state.connection === "unpaired" || state.connection === "absent");
    this.visible("clips-section", ready);
    this.visible("results-section", ready && state.results !== null);
    this.visible("progress-row", state.progress !== null);
    this.visible("cancel", state.busy === "score");
    this.showMessage(state);
    if (state.progress !== null) {
      this.at("progress").value = Math.round(state.progress.share * 100);
      this.text("stage", state.progress.stage);
    }
    const busy = state.busy !== "";
    for (const id of ["connect", "pair", "refresh", "select-all", "select-bin", "import-file"]) this.enabled(id, !busy);
    this.enabled("score", !busy && state.chosen.size > 0);
    this.enabled("create", !busy && momentCount(state) > 0);
    this.showClips(state);
    this.showResults(state);
  }

  /** @param {State} state */
  showMessage({ message }) {
    this.visible("message", message !== null);
    if (message === null) return;
    this.at("message").className = `message ${message.kind}`;
    this.text("message-text", message.text);
    this.text("message-hint", message.hint);
  }

  /** @param {State} state */
  showClips(state) {
    const { clips, chosen } = state;
    this.text("chosen", clips.length > 0 ? `${chosen.size} of ${counted(clips.length, "clip")}` : "");
    if (clips !== this.shownClips) {
      this.shownClips = clips;
      this.boxes.clear();
      const list = this.emptied("clips");
      if (clips.length === 0) list.appendChild(this.make("div", "secondary empty", "No video in this project yet: import some, then press Refresh."));
      clips.forEach((clip, index) => list.appendChild(this.clipRow(clip, `clip-${index}`)));
    }
    for (const [path, box] of this.boxes) {
      box.checked = chosen.has(path);
      this.enable(box, state.busy === "");
    }
  }

  /** @param {BinClip} clip @param {string} id */
  clipRow(clip, id) {
    const row = this.make("div", "clip");
    const box = /** @type {HTMLInputElement} */ (this.document.createElement("input"));
    box.setAttribute("type", "checkbox");
    box.id = id;
    box.addEventListener("change", () => this.app && this.app.choose(clip.path, box.checked));
    const label = this.make("label", "", clip.bin ? `${clip.name} (${clip.bin})` : clip.name);
    label.setAttribute("for", id);
    label.setAttribute("title", clip.path);
    this.boxes.set(clip.path, box);
    row.appendChild(box);
    row.appendChild(label);
    return row;
  }

  /** @param {State} state */
  showResults(state) {
    const { results } = state;
    if (results === null) return;
    for (const mode of ["auto", "length", "count"]) {
      const pressed = state.mode === mode;
      this.at(`mode-${mode}`).className = pressed ? "toggle pressed" : "toggle";
      this.at(`mode-${mode}`).setAttribute("aria-pressed", String(pressed));
      // Spectrum's button knows no pressed state; its variant stands out as much.
      this.at(`mode-${mode}`).setAttribute("variant", pressed ? "primary" : "secondary");
    }
    this.showAmount(state);
    if (results.documents === this.shownDocuments) return;
    this.shownDocuments = results.documents;
    const seconds = results.documents
      .flatMap((document) => document.moments)
      .reduce((sum, moment) => sum + moment.end_seconds - moment.start_seconds, 0);
    this.text("summary", `${counted(momentCount(state), "moment")}, ${clock(Math.round(seconds))}`);
    const list = this.emptied("results");
    this.curves = [];
    for (const document of results.documents) this.showDocument(list, document);
    this.redraw();
  }

  /** @param {State} state */
  showAmount({ mode, lengthSeconds, count, results }) {
    this.visible("amount-row", mode !== "auto");
    if (mode === "auto" || results === null) return;
    const total = results.documents.reduce((sum, document) => sum + document.video.duration_seconds, 0);
    const amount = this.at("amount");
    amount.max = String(mode === "length" ? Math.max(2, Math.min(600, Math.floor(total))) : 30);
    amount.value = String(mode === "length" ? lengthSeconds : count);
    amount.setAttribute("aria-label", mode === "length" ? "Length in seconds" : "Number of moments");
    this.amountText(Number(amount.value));
  }

  /** @param {number} value */
  amountText(value) {
    const isLength = this.app !== undefined && this.app.state.mode === "length";
    this.text("amount-text", isLength ? clock(value) : counted(value, "moment"));
  }

  /** @param {number} value @returns {Partial<State>} */
  amountChange(value) {
    return this.app !== undefined && this.app.state.mode === "length" ? { lengthSeconds: value } : { count: value };
  }

  /** @param {HTMLElement} list @param {any} document */
  showDocument(list, document) {
    const { video, moments } = document;
    const box = this.make("div", "result");
    box.appendChild(this.make("div", "result-name", fileName(video.path)));
    const canvas = /** @type {HTMLCanvasElement} */ (this.make("canvas", "curve"));
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Score over time of ${fileName(video.path)}: ${counted(moments.length, "moment")}`);
    box.appendChild(canvas);
    const row = this.make("div", "thumbnails");
    box.appendChild(row);
    list.appendChild(box);
    const shown = [...moments].sort((a, b) => a.start_seconds - b.start_seconds);
    this.curves.push(() =>
      drawCurve(canvas, {
        scores: document.scores,
        clipSeconds: document.clip_seconds,
        durationSeconds: video.duration_seconds,
        moments: shown.map((one) => ({ start: one.start_seconds, end: one.end_seconds, color: bandColor(one.score) })),
        line: LINE_COLORS[this.document.body.className === "theme-light" ? 0 : 1],
      }),
    );
    this.showThumbnails(row, document, shown.slice(0, MOST_THUMBNAILS));
    if (document.damage) box.appendChild(this.make("div", "secondary", `Part of the file is damaged: ${document.damage}`));
  }

  /** @param {HTMLElement} row @param {any} document @param {any[]} moments in time order */
  async showThumbnails(row, document, moments) {
    const cells = moments.map((moment) => {
      const [from, score] = [clock(moment.start_seconds), twoDecimals(moment.score)];
      const image = /** @type {HTMLImageElement} */ (this.make("img", ""));
      image.alt = `Moment at ${from}, score ${score}`;
      const band = this.make("div", "band");
      band.style.backgroundColor = BAND_COLORS[bandColor(moment.score)];
      const cell = this.make("div", "thumbnail");
      const words = (moment.reasons || []).length > 0 ? [this.make("div", "secondary", reasonsOf(moment))] : [];
      for (const part of [image, band, this.make("div", "secondary", `${from} \u00b7 ${score}`), ...words]) cell.appendChild(part);
      row.appendChild(cell);
      return { moment, image };
    });
    for (const { moment, image } of cells) {
      // The user moved on: these pictures are no longer on the page.
      if (!this.app || !row.parentNode || !row.parentNode.parentNode) return;
      try {
        image.src = await this.app.service.thumbnail(document.video.path, moment.peak_seconds, 108);
      } catch {
        // A moment without its picture is still a moment; its caption stays.
      }
    }
  }

  /** Draw the curves again, after a change of size or theme. */
  redraw() {
    for (const draw of this.curves) draw();
  }

  /** @param {string} tag @param {string} className @param {string} [text] @returns {HTMLElement} */
  make(tag, className, text = "") {
    const element = this.document.createElement(tag);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  }

  /** @param {string} id */
  emptied(id) {
    const element = this.at(id);
    while (element.firstChild) element.removeChild(element.firstChild);
    return element;
  }

  /** @param {string} id @param {string} text */
  text(id, text) {
    if (this.at(id).textContent !== text) this.at(id).textContent = text;
  }

  /** @param {string} id @param {boolean} isVisible */
  visible(id, isVisible) {
    this.at(id).style.display = isVisible ? "" : "none";
  }

  /** @param {string} id @param {boolean} isEnabled */
  enabled(id, isEnabled) {
    this.enable(this.at(id), isEnabled);
  }

  /** As an attribute: Spectrum's widgets know no property. @param {Element} element @param {boolean} isEnabled */
  enable(element, isEnabled) {
    if (isEnabled) element.removeAttribute("disabled");
    else element.setAttribute("disabled", "");
  }
}

/** @param {State} state */
function connectionWords({ connection, port, version }) {
  if (connection === "looking") return "Looking for hl ...";
  if (connection === "absent") return `hl serve is not running on port ${port}`;
  return connection === "ready" ? `Connected to hl ${version}` : `hl ${version} found, not paired yet`;
}

/** @param {State} state */
function momentCount({ results }) {
  return results === null ? 0 : results.documents.reduce((sum, document) => sum + document.moments.length, 0);
}

module.exports = { View };
