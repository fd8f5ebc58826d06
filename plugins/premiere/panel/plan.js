// What shall lie where: from scores documents of `hl`, or from an .otio file that `hl` wrote. The rules are
// those of hl's own timelines (docs/reference/formats.md), so that both give the same frames.
// @ts-check

const { exactly, frameAt, nearestRate, parseRate, sameRate, timecodeToFrame } = require("./ticks.js");

/** @import { Rate } from "./ticks.js" */

/**
 * A stretch of a file and its place. Frames of the file count from its first, at its own rate; places
 * count from the start of the sequence, at the sequence's rate. Ends are exclusive.
 * @typedef {object} Cut
 * @property {string} path absolute, as the file was scored; empty where a file names none
 * @property {Rate} rate of the file
 * @property {number} first frame of the file
 * @property {number} end frame of the file
 * @property {number} startFrame the file's own timecode as a frame count
 * @property {number} recordStart frame of the sequence
 * @property {number} recordEnd frame of the sequence
 * @property {number} rank 1 is the best; 0 where the cut is a whole file
 */

/**
 * @typedef {object} PlanMarker
 * @property {number} start frame of the sequence
 * @property {number} frames its length, at least 1
 * @property {string} name "H01 0.92"
 * @property {string} comment
 * @property {string} color GREEN, CYAN, YELLOW, ORANGE
 */

/**
 * @typedef {object} Plan
 * @property {string} name
 * @property {Rate} rate of the sequence
 * @property {number} startFrame timecode of the sequence as a frame count
 * @property {Cut[]} cuts in the order of the sequence
 * @property {PlanMarker[]} markers in the order of the sequence
 */

/** Colours by band of the score, the same as in hl's files. @type {[number, string][]} */
const BANDS = [
  [0.8, "GREEN"],
  [0.6, "CYAN"],
  [0.4, "YELLOW"],
];

/** @param {number} score in [0, 1] @returns {string} */
function bandColor(score) {
  const band = BANDS.find(([least]) => score >= least);
  return band ? band[1] : "ORANGE";
}

/** @type {Record<string, string>} */
const REASONS = {
  picture: "the picture stands out",
  sound: "the sound stands out",
  both: "picture and sound stand out",
};

/** Two decimals, halves to even digits as Python prints them. @param {number} score */
function twoDecimals(score) {
  // Both work on the double's exact value and agree but where that is a half: odd eighths.
  if (Number.isInteger(score * 8) && (score * 8) % 2 === 1) {
    const low = Math.floor(score * 100);
    return ((low + (low % 2)) / 100).toFixed(2);
  }
  return score.toFixed(2);
}

/**
 * Lay the moments of scores documents back to back, as `hl export` does.
 * @param {any[]} documents `hl.scores/1`, in the order of the sequence
 * @param {{name: string, order?: "time" | "rank", markersOnly?: boolean}} options
 * @returns {Plan}
 * @throws {RangeError} No document has a moment.
 */
function planFromScores(documents, { name, order = "time", markersOnly = false }) {
  const found = ranked(documents);
  if (found.length === 0) throw new RangeError("no moment was found in these clips");
  const rate = parseRate(documents[0].video.frame_rate);
  /** @type {{video: any, first: number, end: number, rank: number, marks: Mark[]}[]} */
  const pieces = [];
  documents.forEach((document, number) => {
    const moments = inFrames(document, found.filter((one) => one.number === number));
    if (markersOnly) {
      const marks = moments.map((one) => ({ ...one, at: one.first, length: one.end - one.first }));
      pieces.push({ video: document.video, first: 0, end: document.video.num_frames, rank: 0, marks });
    } else {
      const own = parseRate(document.video.frame_rate);
      for (const one of moments) {
        const peak = frameAt(exactly(one.moment.peak_seconds), own);
        const at = Math.min(Math.max(peak, one.first), one.end - 1);
        const { first, end, rank } = one;
        pieces.push({ video: document.video, first, end, rank, marks: [{ ...one, at, length: 1 }] });
      }
    }
  });
  if (order === "rank" && !markersOnly) pieces.sort((a, b) => a.rank - b.rank);
  const cuts = placed(
    pieces.map((piece) => ({
      path: piece.video.path,
      rate: parseRate(piece.video.frame_rate),
      first: piece.first,
      end: piece.end,
      startFrame: timecodeToFrame(piece.video.start_timecode, parseRate(piece.video.frame_rate)),
      rank: piece.rank,
    })),
    rate,
  );
  const markers = pieces.flatMap((piece, index) =>
    piece.marks.map((mark) => {
      const start = recordOf(cuts[index], mark.at, rate);
      const last = recordOf(cuts[index], mark.at + mark.length - 1, rate);
      return { start, frames: last - start + 1, ...named(mark.moment, mark.rank) };
    }),
  );
  return { name, rate, startFrame: 0, cuts, markers };
}

/**
 * A moment in frames of its file.
 * @typedef {{moment: any, rank: number, number: number, first: number, end: number, at: number, length: number}} Mark
 */

/** Rank the moments of all documents, best first; equals in the order given. @param {any[]} documents */
function ranked(documents) {
  const all = documents.flatMap((document, number) =>
    document.moments.map((/** @type {any} */ moment, /** @type {number} */ index) => ({ moment, number, index })),
  );
  all.sort((a, b) => b.moment.score - a.moment.score || a.number - b.number || a.index - b.index);
  return all.map((one, index) => ({ ...one, rank: index + 1 }));
}

/**
 * Return the moments of one document in time order, in frames that do not overlap.
 * @param {any} document
 * @param {{moment: any, rank: number, number: number}[]} moments
 */
function inFrames(document, moments) {
  const rate = parseRate(document.video.frame_rate);
  const sorted = [...moments].sort((a, b) => a.moment.start_seconds - b.moment.start_seconds);
  /** @type {{moment: any, rank: number, number: number, first: number, end: number}[]} */
  const result = [];
  let before = 0;
  for (const one of sorted) {
    const first = Math.max(before, frameAt(exactly(one.moment.start_seconds), rate));
    const wanted = Math.max(first + 1, frameAt(exactly(one.moment.end_seconds), rate));
    const end = Math.min(wanted, document.video.num_frames);
    if (first < end) {
      result.push({ ...one, first, end });
      before = end;
    }
  }
  return result;
}

/** In one line why a moment was chosen: what happens, then each comparison with the rest. @param {any} moment */
function reasonsOf(moment) {
  /** @type {string[]} */
  const reasons = moment.reasons || [];
  const compares = (/** @type {string} */ one) => /^(un)?like | than around it$/.test(one);
  const what = reasons.filter((one) => !compares(one)).join(", ");
  return [what, ...reasons.filter(compares)].filter(Boolean).join("; ") || REASONS[moment.why];
}

/** @param {any} moment @param {number} rank */
function named(moment, rank) {
  const score = twoDecimals(moment.score);
  return {
    name: `H${String(rank).padStart(2, "0")} ${score}`,
    comment: `score ${score}, ${reasonsOf(moment)}`,
    color: bandColor(moment.score),
  };
}

/**
 * Lay cuts back to back; places are rounded once, from the exact sum before them.
 * @param {(Omit<Cut, "recordStart" | "recordEnd"> & {isGap?: boolean})[]} cuts gaps take room and are left out
 * @param {Rate} rate of the sequence
 * @returns {Cut[]}
 */
function placed(cuts, rate) {
  let at = 0;
  let sum = { num: 0n, den: 1n };
  /** @type {Cut[]} */
  const result = [];
  for (const { isGap = false, ...cut } of cuts) {
    // Gaps beside clips of other rates may end within a frame.
    const length = exactly(cut.end - cut.first);
    const den = sum.den * cut.rate.num * length.den;
    sum = { num: sum.num * cut.rate.num * length.den + length.num * cut.rate.den * sum.den, den };
    let end = Math.max(at + 1, frameAt(sum, rate));
    if (sameRate(cut.rate, rate) && !isGap) end = at + cut.end - cut.first;
    if (!isGap) result.push({ ...cut, recordStart: at, recordEnd: end });
    at = end;
  }
  return result;
}

/** Where a frame of the file lies on the sequence. @param {Cut} cut @param {number} frame @param {Rate} rate */
function recordOf(cut, frame, rate) {
  const seconds = { num: BigInt(frame - cut.first) * cut.rate.den, den: cut.rate.num };
  const at = cut.recordStart + frameAt(seconds, rate);
  return Math.min(Math.max(at, cut.recordStart), cut.recordEnd - 1);
}

/**
 * Read what lies on the picture tracks of an .otio file.
 * @param {string} text JSON
 * @returns {Plan}
 * @throws {RangeError} It is no OpenTimelineIO timeline with a clip.
 */
function planFromOtio(text) {
  /** @type {any} */
  let timeline;
  try {
    timeline = JSON.parse(text);
  } catch {
    throw new RangeError("the file is not an OpenTimelineIO timeline");
  }
  const stack = (timeline && timeline.tracks) || { children: [], markers: [] };
  /** @type {any[]} */
  const tracks = stack.children.filter((/** @type {any} */ one) => one.kind === "Video");
  const first = tracks.flatMap((track) => track.children).find(isClip);
  if (!first) throw new RangeError("the file is not an OpenTimelineIO timeline with clips");
  const own = timeline.metadata && timeline.metadata.hl;
  const rate = own ? parseRate(own.frame_rate) : nearestRate(first.source_range.duration.rate);
  const pairs = tracks.flatMap((track) => {
    const items = track.children.filter((/** @type {any} */ one) => isClip(one) || /^Gap\./.test(one.OTIO_SCHEMA));
    const cuts = placed(items.map((/** @type {any} */ one) => (isClip(one) ? cutFromClip(one) : cutFromGap(one))), rate);
    return items.filter(isClip).map((/** @type {any} */ clip, /** @type {number} */ index) => ({ clip, cut: cuts[index] }));
  });
  pairs.sort((a, b) => a.cut.recordStart - b.cut.recordStart);
  return {
    name: timeline.name || "Highlights",
    rate,
    startFrame: timeline.global_start_time ? timeline.global_start_time.value : 0,
    cuts: pairs.map(({ cut }) => cut),
    markers: otioMarkers(stack, pairs, rate),
  };
}

/** @param {any} item @returns {boolean} */
function isClip(item) {
  return /^Clip\./.test(item.OTIO_SCHEMA);
}

/** @param {any} gap */
function cutFromGap(gap) {
  const { duration } = gap.source_range;
  return { path: "", rate: nearestRate(duration.rate), first: 0, end: duration.value, startFrame: 0, rank: 0, isGap: true };
}

/** @param {any} clip @returns {Omit<Cut, "recordStart" | "recordEnd">} */
function cutFromClip(clip) {
  const reference = clip.media_references ? clip.media_references[clip.active_media_reference_key] : clip.media_reference;
  const available = reference.available_range;
  const range = clip.source_range || available;
  const startFrame = available ? available.start_time.value : 0;
  const first = range.start_time.value - startFrame;
  return {
    path: pathFromUrl(reference.target_url || ""),
    rate: nearestRate(range.duration.rate),
    first,
    end: first + range.duration.value,
    startFrame,
    rank: (clip.metadata.hl && clip.metadata.hl.rank) || 0,
  };
}

/** @param {any} stack @param {{clip: any, cut: Cut}[]} pairs @param {Rate} rate @returns {PlanMarker[]} */
function otioMarkers(stack, pairs, rate) {
  /** @param {any} one @param {number} start @param {number} end */
  const marker = (one, start, end) => ({
    start,
    frames: Math.max(1, end - start),
    name: one.name,
    comment: one.comment || "",
    color: one.color || "GREEN",
  });
  // Those of the whole timeline are at the sequence's rate; --for premiere writes them.
  if (stack.markers.length > 0) {
    return stack.markers.map((/** @type {any} */ one) => {
      const { start_time, duration } = one.marked_range;
      return marker(one, start_time.value, start_time.value + duration.value);
    });
  }
  return pairs.flatMap(({ clip, cut }) =>
    clip.markers.map((/** @type {any} */ one) => {
      const { start_time, duration } = one.marked_range;
      const first = start_time.value - cut.startFrame;
      const last = recordOf(cut, first + Math.max(1, duration.value) - 1, rate);
      return marker(one, recordOf(cut, first, rate), last + 1);
    }),
  );
}

/** Path of a file:// address, or the bare path that other dialects write. @param {string} url */
function pathFromUrl(url) {
  if (!url.startsWith("file://")) return url;
  const path = decodeURIComponent(url.slice("file://".length));
  if (/^\/[A-Za-z]:\//.test(path)) return path.slice(1).replace(/\//g, "\\");
  return path.startsWith("/") ? path : `\\\\${path.replace(/\//g, "\\")}`;
}

module.exports = { bandColor, pathFromUrl, planFromOtio, planFromScores, reasonsOf, twoDecimals };
