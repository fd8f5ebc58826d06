// A strict stand-in for Premiere's UXP module: it keeps every rule that is known of the real one (docs/editors/premiere.md
// names them) and throws where that one does. It runs in Node and in a browser: files come through `readFile`.
"use strict";

const TICKS = 254016000000n;
const COLORS = { GREEN: 0, RED: 1, MAGNETA: 2, ORANGE: 3, YELLOW: 4, BLUE: 5, CYAN: 6 };
const ILLEGAL = "Illegal Parameter type";

/**
 * @param {object} options
 * @param {(path: string) => Promise<string>} options.readFile rejects where there is no file
 * @param {{name: string, path: string, seconds?: number, rate?: [number, number], timecodeTicks?: bigint, audio?: number,
 *   bin?: string, selected?: boolean, offline?: boolean, kind?: "clip" | "sequence" | "title"}[]} [options.clips]
 * @param {"whole" | "nothing" | "drops" | "shifts"} [options.otio] what an .otio import does
 * @param {"whole" | "nothing"} [options.xml] what an .xml import does
 * @param {boolean} [options.otioMarkers] whether markers of the .otio arrive
 * @param {boolean} [options.timecodePoints] whether in points count from the file's timecode
 * @param {"creation" | "execution"} [options.pointsRead] when an overwrite reads its item's points
 * @param {boolean} [options.hasProject]
 */
function makePremiere({
  readFile,
  clips = [],
  otio = "whole",
  xml = "whole",
  otioMarkers = false,
  timecodePoints = false,
  pointsRead = "execution",
  hasProject = true,
}) {
  let isLocked = false;
  let transaction = null;
  const log = { imports: [], undo: [], opened: [] };

  class TickTime {
    constructor(ticks) {
      this.ticks = ticks.toString();
      Object.freeze(this);
    }
    get seconds() {
      return Number(BigInt(this.ticks)) / Number(TICKS);
    }
    static createWithTicks(ticks) {
      if (typeof ticks !== "string" || !/^-?[0-9]+$/.test(ticks)) throw new Error(ILLEGAL);
      return new TickTime(BigInt(ticks));
    }
    static createWithSeconds() {
      throw new Error("the panel must not count in floating-point seconds");
    }
  }

  class Action {
    constructor(run) {
      if (!isLocked) throw new Error("Action created outside lockedAccess");
      this.run = run;
      this.used = false;
    }
  }
  /** Check the arguments of one call against what each may be. */
  function check(args, kinds, needed = kinds.length) {
    if (args.length < needed || args.length > kinds.length) throw new Error(ILLEGAL);
    for (let index = 0; index < args.length; index += 1) {
      const [arg, kind] = [args[index], kinds[index]];
      const fits = typeof kind === "string" ? typeof arg === kind : arg instanceof kind;
      if (!fits) throw new Error(`${ILLEGAL}: argument ${index + 1}`);
    }
  }

  // What the project holds. The wrappers below are made anew at each call, as Premiere's are: two of them are
  // never the same object, so that only ids and guids can be compared.
  const state = { items: [], sequences: [], nextGuid: 1 };

  class ProjectItem {
    constructor(data) {
      this.data = data;
    }
    get name() {
      return this.data.name;
    }
    get type() {
      return this.data.type;
    }
    getId() {
      return this.data.id;
    }
    static cast(item) {
      if (!(item instanceof ProjectItem)) throw new Error(ILLEGAL);
      return new ProjectItem(item.data);
    }
  }
  Object.assign(ProjectItem, { TYPE_CLIP: 1, TYPE_BIN: 2, TYPE_ROOT: 3, TYPE_FILE: 4, TYPE_STYLE: 5, TYPE_COMPOUND: 6 });

  class FolderItem extends ProjectItem {
    static cast(item) {
      if (!(item instanceof ProjectItem) || ![2, 3].includes(item.data.type)) throw new Error(ILLEGAL);
      return new FolderItem(item.data);
    }
    async getItems() {
      return this.data.children.map((child) => new ProjectItem(child));
    }
  }

  class ClipProjectItem extends ProjectItem {
    static cast(item) {
      if (!(item instanceof ProjectItem) || item.data.type !== 1 || item.data.kind === "title") throw new Error(ILLEGAL);
      return new ClipProjectItem(item.data);
    }
    async isSequence() {
      return this.data.kind === "sequence";
    }
    async isOffline() {
      return this.data.offline;
    }
    async getMediaFilePath() {
      return this.data.path;
    }
    async getInPoint(mediaType) {
      check([mediaType], ["number"]);
      return new TickTime(this.data.inPoint);
    }
    async getOutPoint(mediaType) {
      check([mediaType], ["number"]);
      return new TickTime(this.data.outPoint);
    }
    createClearInOutPointsAction(...args) {
      check(args, []);
      return new Action(() => {
        Object.assign(this.data, { inPoint: this.data.base, outPoint: this.data.base + this.data.ticks, hasPoints: false });
        return true;
      });
    }
    createSetInOutPointsAction(...args) {
      check(args, [TickTime, TickTime]);
      const [inPoint, outPoint] = args.map((time) => BigInt(time.ticks));
      return new Action(() => {
        const { base, ticks } = this.data;
        if (inPoint < base || outPoint <= inPoint || outPoint > base + ticks) return false;
        Object.assign(this.data, { inPoint, outPoint, hasPoints: true });
        return true;
      });
    }
  }

  class Marker {
    constructor(data) {
      this.data = data;
    }
    getName() {
      return this.data.name;
    }
    getStart() {
      return new TickTime(this.data.start);
    }
    getDuration() {
      return new TickTime(this.data.duration);
    }
    getComments() {
      return this.data.comments;
    }
    getColorIndex() {
      return this.data.color;
    }
    createSetColorByIndexAction(...args) {
      check(args, ["number"]);
      if (!Object.values(COLORS).includes(args[0])) throw new Error(ILLEGAL);
      return new Action(() => {
        [this.data.color] = args;
        return true;
      });
    }
  }

  class Markers {
    constructor(list) {
      this.list = list;
    }
    getMarkers() {
      return this.list.map((data) => new Marker(data));
    }
    createAddMarkerAction(...args) {
      check(args, ["string", "string", TickTime, TickTime, "string"], 1);
      const [name, , start, duration, comments] = args;
      return new Action(() => {
        this.list.push({ name, start: BigInt(start.ticks), duration: BigInt(duration.ticks), comments, color: COLORS.GREEN });
        return true;
      });
    }
  }

  class TrackItem {
    constructor(data) {
      this.data = data;
    }
    async getStartTime() {
      return new TickTime(this.data.start);
    }
    async getEndTime() {
      return new TickTime(this.data.end);
    }
    async getInPoint() {
      return new TickTime(this.data.inPoint);
    }
  }

  class TrackItemSelection {
    constructor() {
      this.items = [];
    }
    addItem(...args) {
      check(args, [TrackItem, "boolean"], 1);
      this.items.push(args[0].data);
      return true;
    }
    static createEmptySelection(callback) {
      callback(new TrackItemSelection());
      return true;
    }
  }

  class Track {
    constructor(list) {
      this.list = list;
    }
    getTrackItems(...args) {
      check(args, ["number", "boolean"]);
      return args[0] === 1 ? this.list.map((data) => new TrackItem(data)) : [];
    }
  }

  class Sequence {
    constructor(data) {
      this.data = data;
    }
    get name() {
      return this.data.name;
    }
    get guid() {
      return { toString: () => this.data.guid };
    }
    async getVideoTrackCount() {
      return this.data.video.length;
    }
    async getAudioTrackCount() {
      return this.data.audio.length;
    }
    async getVideoTrack(index) {
      return new Track(this.data.video[index]);
    }
    async getAudioTrack(index) {
      return new Track(this.data.audio[index]);
    }
    createSetZeroPointAction(...args) {
      check(args, [TickTime]);
      return new Action(() => {
        this.data.zeroPoint = BigInt(args[0].ticks);
        return true;
      });
    }
  }

  /** Put a stretch on a track: what lies below is cut away. */
  function overwrite(list, item) {
    const kept = list.flatMap((one) => {
      const parts = [];
      if (one.start < item.start) parts.push({ ...one, end: one.end < item.start ? one.end : item.start });
      if (one.end > item.end) {
        const start = one.start > item.end ? one.start : item.end;
        parts.push({ ...one, start, inPoint: one.inPoint + (start - one.start) });
      }
      return parts;
    });
    list.splice(0, list.length, ...[...kept, item].sort((a, b) => (a.start < b.start ? -1 : 1)));
  }

  function lay(sequence, clip, start, points) {
    const item = { start, end: start + points.outPoint - points.inPoint, inPoint: points.inPoint, path: clip.path };
    overwrite(sequence.video[0], { ...item });
    for (let index = 0; index < clip.audio; index += 1) {
      if (!sequence.audio[index]) sequence.audio[index] = [];
      overwrite(sequence.audio[index], { ...item });
    }
  }

  class SequenceEditor {
    constructor(sequence) {
      this.data = sequence.data;
    }
    static getEditor(...args) {
      check(args, [Sequence]);
      return new SequenceEditor(args[0]);
    }
    createOverwriteItemAction(...args) {
      check(args, [ProjectItem, TickTime, "number", "number"]);
      if (args[0] instanceof ClipProjectItem) throw new Error(`${ILLEGAL}: cast it to ProjectItem`);
      const clip = args[0].data;
      const then = { inPoint: clip.inPoint, outPoint: clip.outPoint };
      return new Action(() => {
        lay(this.data, clip, BigInt(args[1].ticks), pointsRead === "creation" ? then : clip);
        return true;
      });
    }
    createRemoveItemsAction(...args) {
      check(args, [TrackItemSelection, "boolean", "number", "boolean"], 3);
      const doomed = new Set(args[0].items);
      return new Action(() => {
        for (const track of [...this.data.video, ...this.data.audio]) {
          track.splice(0, track.length, ...track.filter((item) => !doomed.has(item)));
        }
        return true;
      });
    }
  }

  function addSequence(name, fields) {
    const guid = `00000000-0000-0000-0000-${String(state.nextGuid).padStart(12, "0")}`;
    state.nextGuid += 1;
    const sequence = { name, guid, video: [[]], audio: [[]], markers: [], zeroPoint: 0n, ...fields };
    state.sequences.push(sequence);
    return sequence;
  }

  const project = {
    name: "test.prproj",
    async getSequences() {
      return state.sequences.map((data) => new Sequence(data));
    },
    async getRootItem() {
      return new FolderItem({ type: 3, name: "Root", id: "root", children: state.items });
    },
    async importFiles(...args) {
      if (!Array.isArray(args[0]) || args[0].some((path) => typeof path !== "string")) throw new Error(ILLEGAL);
      if (args.length > 1 && typeof args[1] !== "boolean") throw new Error(ILLEGAL);
      // The known trap: leaving the bin out is fine, null is fine, undefined is not.
      if (args.length > 2 && args[2] !== null && !(args[2] instanceof ProjectItem)) throw new Error(ILLEGAL);
      const [path] = args[0];
      log.imports.push(path);
      let text;
      try {
        text = await readFile(path);
      } catch {
        return false;
      }
      const { importOtio, importXml } = require("./fake_import.js");
      const isOtio = path.endsWith(".otio");
      if ((isOtio ? otio : xml) === "nothing") return true;
      const timeline = isOtio ? importOtio(text, { markers: otioMarkers, timecodePoints }) : importXml(text);
      if (otio === "drops" && isOtio) timeline.video[0].pop();
      if (otio === "shifts" && isOtio) for (const item of timeline.video[0]) item.inPoint += 1n;
      addSequence(timeline.name, timeline);
      return true;
    },
    async createSequenceFromMedia(...args) {
      if (args.length > 2 && args[2] !== null && !(args[2] instanceof ProjectItem)) throw new Error(ILLEGAL);
      if (typeof args[0] !== "string" || !Array.isArray(args[1])) throw new Error(ILLEGAL);
      if (args[1].some((item) => !(item instanceof ClipProjectItem))) throw new Error(ILLEGAL);
      if (state.sequences.some((one) => one.name === args[0])) return null;
      const clip = args[1][0].data;
      const sequence = addSequence(args[0], {});
      lay(sequence, clip, 0n, clip);
      return new Sequence(sequence);
    },
    async deleteSequence(...args) {
      check(args, [Sequence]);
      state.sequences = state.sequences.filter((one) => one.guid !== args[0].data.guid);
      return true;
    },
    async openSequence(...args) {
      check(args, [Sequence]);
      log.opened.push(args[0].data.name);
      return true;
    },
    lockedAccess(callback) {
      if (isLocked) throw new Error("lockedAccess inside lockedAccess");
      isLocked = true;
      try {
        if (callback() instanceof Promise) throw new Error("the callback of lockedAccess must be synchronous");
      } finally {
        isLocked = false;
      }
    },
    executeTransaction(...args) {
      check(args, ["function", "string"], 1);
      if (!isLocked) throw new Error("executeTransaction outside lockedAccess");
      transaction = [];
      const compound = {
        addAction(action) {
          if (!(action instanceof Action) || transaction === null) throw new Error(ILLEGAL);
          if (action.used) throw new Error("an action is used once");
          action.used = true;
          transaction.push(action);
          return true;
        },
      };
      if (args[0](compound) instanceof Promise) throw new Error("the callback of executeTransaction must be synchronous");
      const actions = transaction;
      transaction = null;
      if (actions.length === 0 || !actions.every((action) => action.run())) return false;
      log.undo.push(args[1]);
      return true;
    },
  };

  for (const [index, clip] of clips.entries()) {
    const [num, den] = clip.rate || [30, 1];
    const frame = (TICKS * BigInt(den)) / BigInt(num);
    const ticks = BigInt(Math.round(((clip.seconds || 60) * num) / den)) * frame;
    const base = timecodePoints ? clip.timecodeTicks || 0n : 0n;
    const data = {
      type: 1, name: clip.name, id: `item-${index}`, path: clip.path, kind: clip.kind || "clip", offline: clip.offline || false,
      selected: clip.selected || false, audio: clip.audio === undefined ? 1 : clip.audio,
      ticks, base, inPoint: base, outPoint: base + ticks, hasPoints: false,
    };
    if (!clip.bin) state.items.push(data);
    else {
      let bin = state.items.find((item) => item.type === 2 && item.name === clip.bin);
      if (!bin) state.items.push((bin = { type: 2, name: clip.bin, id: `bin-${clip.bin}`, children: [] }));
      bin.children.push(data);
    }
  }

  return {
    // For the tests only.
    log,
    state,
    // The module.
    ppro: {
      Project: {
        async getActiveProject() {
          return hasProject ? project : null;
        },
      },
      ProjectItem, FolderItem, ClipProjectItem, TickTime, SequenceEditor, TrackItemSelection,
      ProjectUtils: {
        async getSelection() {
          const all = state.items.flatMap((item) => (item.type === 2 ? item.children : [item]));
          return { getItems: async () => all.filter((item) => item.selected).map((item) => new ProjectItem(item)) };
        },
      },
      Marker: { MARKER_TYPE_COMMENT: "Comment", MARKER_TYPE_CHAPTER: "Chapter" },
      Markers: {
        async getMarkers(owner) {
          if (!(owner instanceof Sequence) && !(owner instanceof ClipProjectItem)) throw new Error(ILLEGAL);
          return new Markers(owner.data.markers);
        },
      },
      Constants: { MarkerColor: COLORS, MediaType: { ANY: 0, DATA: 1, VIDEO: 2, AUDIO: 3 }, TrackItemType: { EMPTY: 0, CLIP: 1 } },
    },
  };
}

module.exports = { COLORS, TICKS, makePremiere };
