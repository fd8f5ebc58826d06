// What the panel does: connect, score, choose, create. The view shows `state` and calls these methods.
// @ts-check

const { bringIn } = require("./arrive.js");
const { listClips } = require("./bin.js");
const { Cancelled, PanelError, inWords } = require("./errors.js");
const { planFromOtio, planFromScores } = require("./plan.js");
const { Service } = require("./service.js");
const { newState, selection } = require("./state.js");
const { capital, counted, fileStem, sentence } = require("./words.js");

/** @import { premierepro, ClipProjectItem } from "@adobe/premierepro" */
/** @import { Memory } from "./keep.js" */
/** @import { Job, Options } from "./service.js" */
/** @import { State } from "./state.js" */

/** Ports the manifest allows; UXP denies every other one without a word. */
const PORTS = ["8765", "8766", "8767"];

class App {
  /**
   * @param {object} parts
   * @param {premierepro} parts.ppro
   * @param {any} parts.uxp
   * @param {Memory} parts.memory
   * @param {(state: State) => void} parts.show
   * @param {string[]} [parts.ports] ports that may be asked for
   * @param {(settings: {origin: string, token: string | null}) => Service} [parts.makeService]
   */
  constructor({ ppro, uxp, memory, show, ports = PORTS, makeService = (settings) => new Service(settings) }) {
    this.ppro = ppro;
    this.uxp = uxp;
    this.memory = memory;
    this.show = show;
    this.ports = ports;
    this.makeService = makeService;
    this.service = makeService({ origin: `http://127.0.0.1:${ports[0]}`, token: null });
    /** @type {Map<string, ClipProjectItem>} clips that were scored, by path */
    this.items = new Map();
    /** @type {string | null} */
    this.jobId = null;
    this.choices = 0;
    this.state = newState(ports[0]);
  }

  /** @param {Partial<State>} change */
  set(change) {
    Object.assign(this.state, change);
    this.show(this.state);
  }

  /** Read what is remembered, then connect. */
  async start() {
    const port = await this.memory.port();
    if (port !== null && this.ports.includes(port)) this.state.port = port;
    await this.connect(this.state.port);
  }

  /**
   * Look for hl on a port.
   * @param {string} port
   */
  async connect(port) {
    await this.work("connect", async () => {
      if (!this.ports.includes(port)) {
        throw new PanelError(`The panel may not use port ${port}.`, `Start hl serve with --port ${this.ports.join(" or ")}.`);
      }
      const token = await this.memory.token();
      this.service = this.makeService({ origin: `http://127.0.0.1:${port}`, token });
      this.set({ port, connection: "looking" });
      const about = await this.service.about().catch((error) => {
        this.set({ connection: "absent" });
        throw error;
      });
      await this.memory.keepPort(port);
      this.set({ version: about.version, connection: token === null ? "unpaired" : "ready" });
      if (token === null && about.pairing !== "open") {
        throw new PanelError(
          about.pairing === "locked" ? "Pairing is locked: there were too many wrong codes." : "hl shows no code.",
          about.pairing === "locked" ? "Start hl serve again." : "Start it with: hl serve --open-pairing",
        );
      }
      if (token !== null) await this.list(true);
    });
  }

  /** @param {string} code @param {string} port */
  async pair(code, port) {
    if (port !== this.state.port || this.state.connection === "absent") await this.connect(port);
    if (this.state.connection === "absent") return;
    await this.work("connect", async () => {
      await this.memory.keepToken(await this.service.pair(code.trim()));
      this.set({ connection: "ready" });
      await this.list(true);
    });
  }

  refresh() {
    return this.work("connect", () => this.list(false));
  }

  /** @param {boolean} chooseSelected whether what is selected in the bin becomes chosen */
  async list(chooseSelected) {
    const clips = await listClips(this.ppro);
    const known = new Set(clips.map((clip) => clip.path));
    let chosen = [...this.state.chosen].filter((path) => known.has(path));
    if (chooseSelected && chosen.length === 0) chosen = clips.filter((clip) => clip.selected).map((clip) => clip.path);
    this.set({ clips, chosen: new Set(chosen) });
  }

  /** @param {string} path @param {boolean} isChosen */
  choose(path, isChosen) {
    const chosen = new Set(this.state.chosen);
    if (isChosen) chosen.add(path);
    else chosen.delete(path);
    this.set({ chosen });
  }

  chooseAll() {
    this.set({ chosen: new Set(this.state.clips.map((clip) => clip.path)) });
  }

  /** Choose what is selected in the project panel now. */
  chooseSelected() {
    return this.work("connect", async () => {
      const clips = await listClips(this.ppro);
      const selected = clips.filter((clip) => clip.selected).map((clip) => clip.path);
      if (selected.length === 0) {
        throw new PanelError("No clip is selected in the bin.", "Select clips in the Project panel, or press All.");
      }
      this.set({ clips, chosen: new Set(selected) });
    });
  }

  /** Score what is chosen and show what was found. */
  async score() {
    await this.work("score", async () => {
      const clips = this.state.clips.filter((clip) => this.state.chosen.has(clip.path));
      if (clips.length === 0) throw new PanelError("No clip is chosen.", "Tick the clips to look at.");
      this.set({ progress: { stage: "Starting ...", share: 0 } });
      // By the names that Premiere knows: documents and timelines keep them, also where they are links.
      const paths = clips.map((clip) => clip.path);
      await this.service.picked(paths);
      for (const clip of clips) this.items.set(clip.path, clip.item);
      const job = await this.finish(await this.service.startJob("score", paths, {}));
      const documents = await this.service.scores(job.id, selection(this.state));
      this.set({ results: { jobId: job.id, paths, documents } });
      this.tell("info", sentences([...job.problems.map((one) => one.message), ...job.remarks]));
    });
  }

  /** Stop the job that runs. */
  async cancel() {
    if (this.jobId === null) return;
    try {
      await this.service.cancel(this.jobId);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Choose anew after a slider moved: no picture is looked at again. @param {Partial<State>} change */
  async adjust(change) {
    this.set(change);
    const { results } = this.state;
    if (results === null) return;
    this.choices += 1;
    const choice = this.choices;
    try {
      const documents = await this.service.scores(results.jobId, selection(this.state));
      // A later movement of the slider has its own answer under way.
      if (choice === this.choices) this.set({ results: { ...results, documents }, message: null });
    } catch (error) {
      this.fail(error);
    }
  }

  /**
   * Put what is chosen on a new sequence.
   * @param {{byHand?: boolean}} [how] by hand: built by the API, without trying an import
   */
  async createSequence({ byHand = false } = {}) {
    await this.work("create", async () => {
      const { results, rankOrder, markersOnly } = this.state;
      if (results === null) return;
      /** @type {Options} */
      const options = { ...selection(this.state), for: "premiere", order: rankOrder ? "rank" : "time", markers_only: markersOnly };
      this.set({ progress: { stage: "Writing the timeline ...", share: 0 } });
      const job = await this.finish(await this.service.startJob("export", results.paths, options));
      const [otio] = job.results.files;
      const documents = await this.service.scores(job.id);
      const name = results.paths.length === 1 ? `${fileStem(results.paths[0])} highlights` : "highlights";
      const plan = planFromScores(documents, { name, order: rankOrder ? "rank" : "time", markersOnly });
      // A name alone: it goes to the job's own folder, as the .otio did.
      const asXml = async () => {
        const output = `${fileStem(otio)}.xml`;
        const written = await this.service.startJob("export", results.paths, { ...options, output }).then(
          (started) => this.finish(started),
          () => Promise.reject(new PanelError("hl wrote no .xml file.")),
        );
        return written.results.files[0];
      };
      this.set({ progress: { stage: "Creating the sequence ...", share: 1 } });
      const arrival = await bringIn(this.ppro, { plan, files: byHand ? [] : [async () => otio, asXml], items: this.items });
      const text = `Sequence "${arrival.name}" with ${counted(arrival.clips, "clip")} and ${counted(plan.markers.length, "marker")}.`;
      this.tell("good", text, sentences([...arrival.remarks, ...job.remarks]));
    });
  }

  /** Import a timeline that lies on the disk; needs no service. */
  async importFile() {
    await this.work("create", async () => {
      const file = await this.uxp.storage.localFileSystem.getFileForOpening({ types: ["otio", "xml"] });
      // Empty in one way or another where the dialog was cancelled.
      if (!file || !file.nativePath) return;
      const isOtio = file.nativePath.toLowerCase().endsWith(".otio");
      const plan = isOtio ? planFromOtio(await file.read()) : null;
      const arrival = await bringIn(this.ppro, { plan, files: [async () => file.nativePath] });
      this.tell("good", `Sequence "${arrival.name}" with ${counted(arrival.clips, "clip")}.`, sentences(arrival.remarks));
    });
  }

  /** Wait for a job and show how far it is. @param {Job} job @returns {Promise<Job>} */
  async finish(job) {
    this.jobId = job.id;
    return this.service.finished(job.id, (now) => {
      const share = now.total > 0 ? Math.min(1, now.done / now.total) : 0;
      const waiting = now.state === "queued" && now.position ? `Waiting for ${counted(now.position, "other job")} ...` : "";
      this.set({ progress: { stage: waiting || now.stage || "Starting ...", share } });
    });
  }

  /**
   * Do one thing at a time, and say in words how it failed.
   * @param {"connect" | "score" | "create"} busy
   * @param {() => Promise<void>} task
   */
  async work(busy, task) {
    if (this.state.busy !== "") return;
    this.set({ busy, message: null });
    try {
      await task();
    } catch (error) {
      this.fail(error);
    } finally {
      this.jobId = null;
      this.set({ busy: "", progress: null });
    }
  }

  /** @param {unknown} error */
  fail(error) {
    if (error instanceof Cancelled) return this.tell("info", "Cancelled.");
    if (error instanceof PanelError && error.status === 401) {
      // The token is no longer good: only a new code helps.
      this.memory.keepToken(null).catch(() => {});
      this.set({ connection: "unpaired" });
    }
    const { message, hint } = inWords(error);
    return this.tell("error", sentence(message), capital(hint));
  }

  /** @param {"info" | "good" | "error"} kind @param {string} text @param {string} [hint] */
  tell(kind, text, hint = "") {
    if (text) this.set({ message: { kind, text, hint } });
  }
}

/** @param {string[]} parts */
function sentences(parts) {
  return parts.map(sentence).join(" ");
}

module.exports = { App, PORTS };
