// What really lies on a sequence, and whether it is what the plan says. Import gives no error where it
// drops or moves something, so that nothing is believed before it was read back.
// @ts-check

const { frameToTicks, sameRate } = require("./ticks.js");

/** @import { premierepro, Sequence } from "@adobe/premierepro" */
/** @import { Plan } from "./plan.js" */

/**
 * A clip on a picture track, in ticks.
 * @typedef {{start: bigint, end: bigint, inPoint: bigint}} Placed
 */

/**
 * @param {premierepro} ppro
 * @param {Sequence} sequence
 * @returns {Promise<Placed[]>} by start
 */
async function readClips(ppro, sequence) {
  /** @type {Placed[]} */
  const clips = [];
  const count = await sequence.getVideoTrackCount();
  for (let index = 0; index < count; index += 1) {
    const track = await sequence.getVideoTrack(index);
    for (const item of track.getTrackItems(ppro.Constants.TrackItemType.CLIP, false)) {
      const [start, end, inPoint] = [await item.getStartTime(), await item.getEndTime(), await item.getInPoint()];
      clips.push({ start: BigInt(start.ticks), end: BigInt(end.ticks), inPoint: BigInt(inPoint.ticks) });
    }
  }
  return clips.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}

/**
 * Compare a sequence with its plan.
 * @param {Placed[]} clips as read back
 * @param {Plan} plan
 * @returns {string} what is different, in words; empty where nothing is
 */
function difference(clips, plan) {
  if (clips.length !== plan.cuts.length) {
    return `${clips.length} of ${plan.cuts.length} clips arrived`;
  }
  // Premiere conforms files of another rate: their ends, and what follows, may fall on the neighbouring frame.
  const isMixed = plan.cuts.some((cut) => !sameRate(cut.rate, plan.rate));
  const slack = isMixed ? BigInt(frameToTicks(1, plan.rate)) : 0n;
  for (const [index, cut] of plan.cuts.entries()) {
    const clip = clips[index];
    const start = BigInt(frameToTicks(cut.recordStart, plan.rate));
    const end = BigInt(frameToTicks(cut.recordEnd, plan.rate));
    if (apart(clip.start, start) > slack || apart(clip.end, end) > slack) {
      return `clip ${index + 1} lies elsewhere than it should`;
    }
    const first = BigInt(frameToTicks(cut.first, cut.rate));
    const timecode = BigInt(frameToTicks(cut.startFrame, cut.rate));
    // In points count from the file's first frame or from its timecode: no document says which.
    if (apart(clip.inPoint, first) > slack && apart(clip.inPoint, first + timecode) > slack) {
      return `clip ${index + 1} shows other frames than it should`;
    }
  }
  return "";
}

/** @param {bigint} a @param {bigint} b */
function apart(a, b) {
  return a < b ? b - a : a - b;
}

module.exports = { difference, readClips };
