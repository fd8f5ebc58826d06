// What stands in the project: the clips of the bins, and which of them are selected.
// @ts-check

const { PanelError } = require("./errors.js");

/** @import { premierepro, ClipProjectItem, FolderItem, Project, ProjectItem } from "@adobe/premierepro" */

/**
 * A clip of the project with a file that hl can look at.
 * @typedef {object} BinClip
 * @property {string} id of the project item
 * @property {string} name as the project shows it
 * @property {string} path absolute path of its file
 * @property {string} bin names of the bins around it, "Day 1 / Cam A"; empty at the top
 * @property {boolean} selected in the project panel
 * @property {ClipProjectItem} item
 */

/** Stills and sound alone have no highlights; what hl cannot read it says itself. */
const NOT_VIDEO = /\.(wav|mp3|aif|aiff|m4a|flac|ogg|png|jpe?g|tiff?|psd|ai|gif|bmp|exr|dpx|svg|prproj|otio|xml|txt|srt)$/i;

/**
 * @param {premierepro} ppro
 * @returns {Promise<Project>}
 * @throws {PanelError} No project is open.
 */
async function activeProject(ppro) {
  const project = await ppro.Project.getActiveProject();
  if (!project) throw new PanelError("No project is open.", "Open or create a project first.");
  return project;
}

/**
 * List the clips of the project with their files, bins in the order of the project panel. A file that
 * stands in the project more than once is listed once.
 * @param {premierepro} ppro
 * @returns {Promise<BinClip[]>}
 */
async function listClips(ppro) {
  const project = await activeProject(ppro);
  const selected = await selectedIds(ppro, project);
  /** @type {BinClip[]} */
  const clips = [];
  await collect(ppro, await project.getRootItem(), [], selected, clips);
  /** @type {Map<string, BinClip>} */
  const byPath = new Map();
  for (const clip of clips) {
    const known = byPath.get(clip.path);
    if (!known) byPath.set(clip.path, clip);
    else if (clip.selected && !known.selected) byPath.set(clip.path, clip);
  }
  return [...byPath.values()];
}

/**
 * @param {premierepro} ppro
 * @param {FolderItem} folder
 * @param {string[]} bins names of the bins around
 * @param {Set<string>} selected
 * @param {BinClip[]} clips is added to
 */
async function collect(ppro, folder, bins, selected, clips) {
  for (const item of await folder.getItems()) {
    const inner = asFolder(ppro, item);
    if (inner) {
      await collect(ppro, inner, [...bins, item.name], selected, clips);
      continue;
    }
    const clip = asClip(ppro, item);
    if (!clip || (await clip.isSequence()) || (await clip.isOffline())) continue;
    const path = await clip.getMediaFilePath();
    if (!path || NOT_VIDEO.test(path)) continue;
    const id = item.getId();
    clips.push({ id, name: item.name, path, bin: bins.join(" / "), selected: selected.has(id), item: clip });
  }
}

/** The item as a bin, or null. @param {premierepro} ppro @param {ProjectItem} item @returns {FolderItem | null} */
function asFolder(ppro, item) {
  return item.type === ppro.ProjectItem.TYPE_BIN ? ppro.FolderItem.cast(item) : null;
}

/** The item as a clip, or null. @param {premierepro} ppro @param {ProjectItem} item @returns {ClipProjectItem | null} */
function asClip(ppro, item) {
  try {
    return ppro.ClipProjectItem.cast(item) || null;
  } catch {
    // Titles, colour mattes and the like; some versions return null, some throw.
    return null;
  }
}

/** @param {premierepro} ppro @param {Project} project @returns {Promise<Set<string>>} */
async function selectedIds(ppro, project) {
  try {
    const selection = await ppro.ProjectUtils.getSelection(project);
    return new Set((await selection.getItems()).map((item) => item.getId()));
  } catch {
    // Without a project panel in sight there is no selection.
    return new Set();
  }
}

module.exports = { activeProject, listClips };
