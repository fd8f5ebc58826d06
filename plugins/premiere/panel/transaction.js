// Changes to a project. Premiere 26.3 wants actions to be created inside lockedAccess, and both callbacks are
// synchronous: nothing may be awaited in them.
// @ts-check

const { PanelError } = require("./errors.js");

/** @import { Action, Project } from "@adobe/premierepro" */

/**
 * Make one undoable change.
 * @param {Project} project
 * @param {string} words in the Edit menu after "Undo"
 * @param {() => Action[]} create makes the actions; called inside the lock
 * @throws {PanelError} Premiere refused it.
 */
function change(project, words, create) {
  let accepted = false;
  project.lockedAccess(() => {
    accepted = project.executeTransaction((compound) => {
      for (const action of create()) compound.addAction(action);
    }, words);
  });
  if (!accepted) throw new PanelError(`Premiere refused the change "${words}".`, "Is the project locked or read-only?");
}

module.exports = { change };
