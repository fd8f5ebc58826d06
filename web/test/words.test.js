// Names of files among other words: scripts/page builds src/words.ts for node and runs this.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as words from "../../review-words/review.js";

test("a name cannot turn round what stands beside it", () => {
  assert.equal(words.isolated("שלום \u202egnp\u2069.mp4"), "\u2068שלום gnp.mp4\u2069");
  assert.equal(words.isolated("match.mp4"), "\u2068match.mp4\u2069");
});
