// A timeline becomes a sequence of the project: by import, and where that fails by the API.
// @ts-check

const { PanelError } = require("./errors.js");
const { activeProject } = require("./bin.js");
const { buildSequence } = require("./build.js");
const { addMarkers } = require("./markers.js");
const { difference, readClips } = require("./readback.js");

/** @import { premierepro, ClipProjectItem, Project, Sequence } from "@adobe/premierepro" */
/** @import { Plan } from "./plan.js" */

/**
 * @typedef {object} Arrival
 * @property {string} name of the sequence
 * @property {"otio" | "xml" | "api"} way how it came
 * @property {number} clips on its picture tracks
 * @property {string[]} remarks what the user should know, sentences
 */

/**
 * Import a timeline file; the new sequence is known by its guid.
 *
 * `targetBin` is left out: passed as undefined it is refused ("Illegal Parameter type").
 * @param {Project} project
 * @param {string} path
 * @returns {Promise<Sequence | null>} null where nothing came in
 */
async function importTimeline(project, path) {
  const before = new Set((await project.getSequences()).map((sequence) => sequence.guid.toString()));
  try {
    await project.importFiles([path], true);
  } catch {
    // What came in says more than the answer: both false with a sequence and true without one were seen
    // in other importers.
  }
  const added = (await project.getSequences()).filter((sequence) => !before.has(sequence.guid.toString()));
  return added.length > 0 ? added[0] : null;
}

/**
 * Bring a plan into the project: import each file in turn until one arrives as planned, else build it.
 * @param {premierepro} ppro
 * @param {object} wanted
 * @param {Plan | null} wanted.plan null where the file cannot be read here: it is imported and believed
 * @param {(() => Promise<string>)[]} wanted.files each gives a path to import, or throws
 * @param {Map<string, ClipProjectItem>} [wanted.items] clips to build with; none: the API is not tried
 * @returns {Promise<Arrival>}
 * @throws {PanelError} Every way failed.
 */
async function bringIn(ppro, { plan, files, items = new Map() }) {
  const project = await activeProject(ppro);
  /** @type {string[]} */
  const failures = [];
  for (const file of files) {
    /** @type {string} */
    let path;
    try {
      path = await file();
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
      continue;
    }
    const kind = path.toLowerCase().endsWith(".xml") ? "xml" : "otio";
    const sequence = await importTimeline(project, path);
    if (!sequence) {
      failures.push(`Premiere imported nothing from the .${kind} file.`);
      continue;
    }
    const clips = await readClips(ppro, sequence);
    const wrong = plan ? difference(clips, plan) : clips.length === 0 ? "no clip arrived" : "";
    if (wrong && (items.size > 0 || file !== files[files.length - 1])) {
      failures.push(`From the .${kind} file ${wrong}; that sequence was removed.`);
      await project.deleteSequence(sequence);
      continue;
    }
    const remarks = wrong ? [`${wrong[0].toUpperCase()}${wrong.slice(1)}: look at it before you use it.`] : [];
    return finish(ppro, project, sequence, plan, { way: kind, clips: clips.length, remarks: [...failures, ...remarks] });
  }
  if (plan && items.size > 0) {
    const sequence = await buildSequence(ppro, project, plan, items);
    const clips = await readClips(ppro, sequence);
    const wrong = difference(clips, plan);
    const remarks = wrong ? [`In the sequence ${wrong}: look at it before you use it.`] : [];
    return finish(ppro, project, sequence, plan, { way: "api", clips: clips.length, remarks: [...failures, ...remarks] });
  }
  throw new PanelError(
    failures.join(" ") || "There is nothing to import.",
    "Premiere reads .otio since 25.6. Try File > Import with the same file: it may say why.",
  );
}

/**
 * Mark the sequence and open it.
 * @param {premierepro} ppro
 * @param {Project} project
 * @param {Sequence} sequence
 * @param {Plan | null} plan
 * @param {Omit<Arrival, "name">} arrival
 * @returns {Promise<Arrival>}
 */
async function finish(ppro, project, sequence, plan, arrival) {
  const remarks = [...arrival.remarks];
  if (plan) {
    try {
      await addMarkers(ppro, project, sequence, plan);
    } catch {
      remarks.push("The markers could not be added.");
    }
  }
  await project.openSequence(sequence);
  return { ...arrival, name: sequence.name, remarks };
}

module.exports = { bringIn, importTimeline };
