// What the panel shows, and how it starts.
// @ts-check

/** @import { BinClip } from "./bin.js" */
/** @import { Options } from "./service.js" */

/**
 * What is scored, and the moments chosen from it.
 * @typedef {object} Results
 * @property {string} jobId of the scoring job
 * @property {string[]} paths as they were scored
 * @property {any[]} documents `hl.scores/1`, with the moments as chosen now
 */

/**
 * @typedef {object} State
 * @property {"looking" | "absent" | "unpaired" | "ready"} connection
 * @property {string} port
 * @property {string} version of hl; empty before it answered
 * @property {BinClip[]} clips
 * @property {Set<string>} chosen paths
 * @property {"" | "connect" | "score" | "create"} busy
 * @property {{stage: string, share: number} | null} progress share in [0, 1]
 * @property {Results | null} results
 * @property {"auto" | "length" | "count"} mode how much is kept
 * @property {number} lengthSeconds for the mode "length"
 * @property {number} count for the mode "count"
 * @property {boolean} rankOrder
 * @property {boolean} markersOnly
 * @property {{kind: "info" | "good" | "error", text: string, hint: string} | null} message
 */

/** @param {string} port @returns {State} */
function newState(port) {
  return {
    connection: "looking",
    port,
    version: "",
    clips: [],
    chosen: new Set(),
    busy: "",
    progress: null,
    results: null,
    mode: "auto",
    lengthSeconds: 30,
    count: 5,
    rankOrder: false,
    markersOnly: false,
    message: null,
  };
}

/**
 * How many moments are wanted, in the words of the protocol.
 * @param {State} state
 * @returns {Options}
 */
function selection({ mode, lengthSeconds, count }) {
  if (mode === "length") return { target_duration: lengthSeconds };
  if (mode === "count") return { top: count };
  return {};
}

module.exports = { newState, selection };
