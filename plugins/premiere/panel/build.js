// A sequence built through the API alone: the last way, where Premiere imports neither .otio nor .xml.
// @ts-check

const { PanelError } = require("./errors.js");
const { frameToTicks } = require("./ticks.js");
const { change } = require("./transaction.js");

/** @import { premierepro, AudioClipTrackItem, ClipProjectItem, Project, Sequence, TickTime, VideoClipTrackItem } from "@adobe/premierepro" */
/** @import { Plan } from "./plan.js" */

/**
 * Lay the cuts of a plan on a new sequence with the settings of the first clip.
 *
 * A project item is overwritten into the sequence with the in and out points it has at that moment, so that
 * each cut is two transactions; the item's own points are put back at the end.
 * @param {premierepro} ppro
 * @param {Project} project
 * @param {Plan} plan
 * @param {Map<string, ClipProjectItem>} items by the path that the cuts have
 * @returns {Promise<Sequence>}
 * @throws {PanelError} A file is not in the project, or Premiere refuses.
 */
async function buildSequence(ppro, project, plan, items) {
  const used = new Map();
  for (const { path } of plan.cuts) {
    const item = items.get(path);
    if (!item) throw new PanelError(`${path} is not in the project.`, "Import it, then press Create sequence again.");
    used.set(path, item);
  }
  const sequence = await project.createSequenceFromMedia(await freeName(project, plan.name), [
    /** @type {ClipProjectItem} */ (items.get(plan.cuts[0].path)),
  ]);
  if (!sequence) throw new PanelError("Premiere made no sequence.", "Is the first clip online?");
  await removeAll(ppro, project, sequence);
  const points = new Map();
  for (const [path, item] of used) points.set(path, await clearPoints(ppro, project, item));
  try {
    await layCuts(ppro, project, sequence, plan, used, points);
  } finally {
    for (const [path, item] of used) restorePoints(project, item, points.get(path));
  }
  if (plan.startFrame > 0) {
    change(project, "hl: start timecode", () => [
      sequence.createSetZeroPointAction(ppro.TickTime.createWithTicks(frameToTicks(plan.startFrame, plan.rate))),
    ]);
  }
  return sequence;
}

/**
 * @typedef {object} Points
 * @property {bigint} base tick of the file's first frame, as its in point counts
 * @property {TickTime} inPoint the user's
 * @property {TickTime} outPoint the user's
 * @property {boolean} own whether the user had set them
 */

/**
 * @param {premierepro} ppro
 * @param {Project} project
 * @param {Sequence} sequence
 * @param {Plan} plan
 * @param {Map<string, ClipProjectItem>} items
 * @param {Map<string, Points>} points
 */
async function layCuts(ppro, project, sequence, plan, items, points) {
  const editor = ppro.SequenceEditor.getEditor(sequence);
  for (const cut of plan.cuts) {
    const item = /** @type {ClipProjectItem} */ (items.get(cut.path));
    const { base } = /** @type {Points} */ (points.get(cut.path));
    /** @param {number} frame */
    const at = (frame) => ppro.TickTime.createWithTicks((base + BigInt(frameToTicks(frame, cut.rate))).toString());
    change(project, "hl: choose a moment", () => [item.createSetInOutPointsAction(at(cut.first), at(cut.end))]);
    change(project, "hl: add a moment", () => [
      editor.createOverwriteItemAction(
        ppro.ProjectItem.cast(item),
        ppro.TickTime.createWithTicks(frameToTicks(cut.recordStart, plan.rate)),
        0,
        0,
      ),
    ]);
  }
}

/**
 * Take a clip's in and out points away and say what they were, and where its first frame counts from.
 * @param {premierepro} ppro
 * @param {Project} project
 * @param {ClipProjectItem} item
 * @returns {Promise<Points>}
 */
async function clearPoints(ppro, project, item) {
  const { VIDEO } = ppro.Constants.MediaType;
  const [inPoint, outPoint] = [await item.getInPoint(VIDEO), await item.getOutPoint(VIDEO)];
  change(project, "hl: clear in and out", () => [item.createClearInOutPointsAction()]);
  const [first, last] = [await item.getInPoint(VIDEO), await item.getOutPoint(VIDEO)];
  const own = first.ticks !== inPoint.ticks || last.ticks !== outPoint.ticks;
  return { base: BigInt(first.ticks), inPoint, outPoint, own };
}

/** @param {Project} project @param {ClipProjectItem} item @param {Points} points */
function restorePoints(project, item, points) {
  change(project, "hl: restore in and out", () => [
    points.own
      ? item.createSetInOutPointsAction(points.inPoint, points.outPoint)
      : item.createClearInOutPointsAction(),
  ]);
}

/**
 * Empty a sequence: one that is made from a clip has the whole clip on it.
 * @param {premierepro} ppro
 * @param {Project} project
 * @param {Sequence} sequence
 */
async function removeAll(ppro, project, sequence) {
  const { CLIP } = ppro.Constants.TrackItemType;
  /** @type {(VideoClipTrackItem | AudioClipTrackItem)[]} */
  const items = [];
  for (let index = 0; index < (await sequence.getVideoTrackCount()); index += 1) {
    items.push(...(await sequence.getVideoTrack(index)).getTrackItems(CLIP, false));
  }
  for (let index = 0; index < (await sequence.getAudioTrackCount()); index += 1) {
    items.push(...(await sequence.getAudioTrack(index)).getTrackItems(CLIP, false));
  }
  if (items.length === 0) return;
  ppro.TrackItemSelection.createEmptySelection((selection) => {
    for (const item of items) selection.addItem(item, true);
    change(project, "hl: empty the sequence", () => [
      ppro.SequenceEditor.getEditor(sequence).createRemoveItemsAction(
        selection,
        false,
        ppro.Constants.MediaType.ANY,
        false,
      ),
    ]);
  });
}

/** A name no sequence of the project has. @param {Project} project @param {string} name */
async function freeName(project, name) {
  const taken = new Set((await project.getSequences()).map((sequence) => sequence.name));
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${name} ${number}`;
  return free;
}

module.exports = { buildSequence };
