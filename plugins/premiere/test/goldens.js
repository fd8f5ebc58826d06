// The timelines of hl's own tests, which the panel must agree with to the frame.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

// The tests of the repository run in a copy of this folder and name where it came from.
const repository = process.env.HL_REPOSITORY || path.join(__dirname, "..", "..", "..");
const folder = path.join(repository, "tests", "golden");

/** @param {string} name of the case @param {string} file */
function golden(name, file) {
  return fs.readFileSync(path.join(folder, name, file), "utf8");
}

/** A path of a golden file, for the fake to import. */
function goldenPath(name, file) {
  return path.join(folder, name, file);
}

/** The scores documents of a case: one or several. */
function documents(name) {
  const parsed = JSON.parse(golden(name, "generic.json"));
  return Array.isArray(parsed) ? parsed : [parsed];
}

module.exports = { documents, golden, goldenPath };
