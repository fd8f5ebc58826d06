// What an edit becomes: scripts/page builds src/edit.ts for node and runs this.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as edits from "../../review-edit/review.js";

const moment = (id, start, end, more = {}) => ({
  id,
  video: 0,
  start_seconds: start,
  end_seconds: end,
  keep: true,
  pinned: false,
  ...more,
});
const edit = (...moments) => ({ moments, avoid: [], order: "time" });
const candidate = (start, end, score) => ({
  start_seconds: start,
  end_seconds: end,
  score,
  peak_seconds: (start + end) / 2,
  why: "picture",
});

function video(...candidates) {
  const scores = new Array(100).fill(0.1);
  for (const one of candidates) {
    for (let at = Math.floor(one.start_seconds); at < one.end_seconds; at += 1) scores[at] = one.score;
  }
  return {
    video: { duration_seconds: 100, frame_rate: "25/1", num_frames: 2500 },
    model: { name: "m", version: "1" },
    clip_seconds: 1,
    scores,
    shot_boundaries_seconds: [10, 20, 40],
    speech: [[12, 14.5]],
    damage: null,
    moments: candidates,
  };
}
const spans = (made) => edits.film(made).map((one) => [one.start_seconds, one.end_seconds]);

test("an end goes as far as its neighbour and the video", () => {
  const start = edit(moment("a", 10, 20), moment("b", 25, 30));
  assert.deepEqual(spans(edits.trim(start, "a", -5, 28, 100)), [
    [0, 25],
    [25, 30],
  ]);
  assert.deepEqual(spans(edits.trim(start, "b", 12, 200, 100)), [
    [10, 20],
    [20, 100],
  ]);
  // Never shorter than the shortest.
  const tiny = edits.trim(start, "a", 15, 3, 100);
  assert.ok(Math.abs(edits.lengthOf(edits.film(tiny)[0]) - edits.SHORTEST) < 1e-9);
  // The same ends are the same edit: nothing to undo.
  assert.equal(edits.trim(start, "a", 10, 20, 100), start);
});

test("what is kept again takes what room is left", () => {
  const start = edit(moment("a", 10, 20, { keep: false }), moment("b", 12, 15));
  assert.deepEqual(spans(edits.toggle(start, "a")), [
    [12, 15],
    [15, 20],
  ]);
  const full = edit(moment("a", 12, 14, { keep: false }), moment("b", 10, 15));
  assert.equal(edits.toggle(full, "a"), full);
  assert.equal(edits.film(edits.toggle(start, "b")).length, 0);
});

test("a split makes two, a merge one, also over a gap", () => {
  const start = edit(moment("a", 10, 20), moment("b", 30, 40, { pinned: true }));
  const two = edits.split(start, "a", 14);
  assert.deepEqual(spans(two), [
    [10, 14],
    [14, 20],
    [30, 40],
  ]);
  assert.equal(new Set(two.moments.map((one) => one.id)).size, 3);
  assert.equal(edits.split(start, "a", 10), start);
  const one = edits.merge(start, "a");
  assert.deepEqual(spans(one), [[10, 40]]);
  assert.equal(one.moments[0].pinned, true);
  assert.equal(edits.merge(start, "b"), start);
  // Of another video nothing is merged.
  const other = edit(moment("a", 10, 20), moment("b", 30, 40, { video: 1 }));
  assert.equal(edits.merge(other, "a"), other);
});

test("moved moments keep an order of their own, and time order comes back", () => {
  const start = edit(moment("a", 10, 20), moment("b", 30, 40), moment("c", 50, 60, { keep: false }));
  const moved = edits.move(start, "b", -1);
  assert.deepEqual([moved.order, ...edits.film(moved).map((one) => one.id)], ["own", "b", "a"]);
  assert.equal(moved.moments.length, 3);
  assert.equal(edits.move(moved, "b", -1), moved);
  assert.deepEqual(spans(edits.inTimeOrder(moved)), [
    [10, 20],
    [30, 40],
  ]);
});

test("a swap goes down the candidates, and no dropped one comes back", () => {
  const documents = [video(candidate(10, 15, 0.9), candidate(30, 35, 0.8), candidate(50, 55, 0.7))];
  let made = { edit: edit(moment("a", 10, 15)), id: "a" };
  const starts = [];
  for (let number = 0; number < 3; number += 1) {
    const next = edits.swap(made.edit, made.id, documents);
    if (next.id === null) break;
    made = next;
    starts.push(edits.find(made.edit, made.id).start_seconds);
  }
  assert.deepEqual(starts, [30, 50]);
  assert.equal(edits.film(made.edit).length, 1);
  assert.equal(made.edit.moments.filter((one) => !one.keep).length, 2);
});

test("a length is met: pinned stay, dropped and avoided stay away, the last is cut to its best part", () => {
  const documents = [
    video(candidate(10, 20, 0.9), candidate(30, 40, 0.8), candidate(50, 60, 0.7), candidate(70, 80, 0.6)),
  ];
  const start = { ...edit(moment("p", 90, 95, { pinned: true })), avoid: [moment("x", 30, 40)] };
  start.moments.push(moment("d", 50, 60, { keep: false }));
  const made = edits.recut(start, 20, documents);
  assert.deepEqual(spans(made), [
    [10, 20],
    [72.5, 77.5],
    [90, 95],
  ]);
  assert.ok(Math.abs(edits.total(made) - 20) < 1e-9);
  assert.equal(made.moments.filter((one) => !one.keep).length, 1);
  assert.equal(new Set(made.moments.map((one) => one.id)).size, made.moments.length);
  // Less than what is pinned leaves what is pinned.
  assert.deepEqual(spans(edits.recut(start, 1, documents)), [[90, 95]]);
  // More than there is takes all there is.
  assert.deepEqual(spans(edits.recut(start, 500, documents)), [
    [10, 20],
    [70, 80],
    [90, 95],
  ]);
});

test("several videos are cut to one length, the best of all first", () => {
  const documents = [video(candidate(10, 20, 0.5)), video(candidate(0, 10, 0.9)), null];
  const made = edits.recut(edit(), 12, documents);
  assert.deepEqual(
    edits.film(made).map((one) => [one.video, edits.lengthOf(one)]),
    [
      [0, 2],
      [1, 10],
    ],
  );
});

test("what was trimmed by hand stays so when the length changes", () => {
  const documents = [video(candidate(10, 20, 0.9), candidate(30, 40, 0.8))];
  const made = edits.recut(edit(moment("a", 12, 18)), 30, documents);
  assert.deepEqual(spans(made), [
    [12, 18],
    [30, 40],
  ]);
});

test("an avoided stretch gives nothing, until it is allowed again", () => {
  const documents = [video(candidate(10, 20, 0.9))];
  const avoided = edits.avoid(edit(moment("a", 10, 20)), "a");
  assert.deepEqual([spans(avoided), avoided.avoid.length], [[], 1]);
  assert.equal(edits.nextBest(avoided, documents).length, 0);
  assert.equal(edits.allow(avoided, 0).avoid.length, 0);
});

test("a new moment takes the room there is, and none where a kept one is", () => {
  const start = edit(moment("a", 10, 20));
  const beside = edits.add(start, { video: 0, start_seconds: 18, end_seconds: 24 }, 100);
  assert.deepEqual(spans(beside.edit), [
    [10, 20],
    [20, 24],
  ]);
  assert.equal(edits.add(start, { video: 0, start_seconds: 12, end_seconds: 16 }, 100).id, null);
});

test("ends snap to cuts, to pauses and to nothing far away", () => {
  const points = edits.snapPoints(video());
  assert.deepEqual(points, [0, 10, 12, 14.5, 20, 40, 100]);
  assert.equal(edits.snapped(points, 10.3, 0.5), 10);
  assert.equal(edits.snapped(points, 14.2, 0.5), 14.5);
  assert.equal(edits.snapped(points, 11, 0.5), 11);
  assert.equal(edits.snapped([], 3, 1), 3);
});

test("the score of a stretch is the mean of its clips, by how much of each is inside", () => {
  const document = video(candidate(10, 12, 0.9));
  const { score, peak } = edits.meanScore(document, { start_seconds: 9, end_seconds: 11 });
  assert.ok(Math.abs(score - 0.5) < 1e-9);
  assert.equal(peak, 10.5);
  assert.equal(edits.meanScore(null, { start_seconds: 0, end_seconds: 4 }).score, 0);
});

test("another take comes into the place of a moment, and no take of what is kept is offered", () => {
  const scores = video(candidate(10, 20, 0.9), candidate(30, 40, 0.8), candidate(60, 70, 0.7));
  scores.moments[0].alternatives = [
    { start_seconds: 30, end_seconds: 40, score: 0.8 },
    { start_seconds: 5, end_seconds: 12, score: 0.5, video: "/b.mp4" },
    { start_seconds: 1, end_seconds: 2, score: 0.5, video: "/not-reviewed.mp4" },
  ];
  const groups = edits.takeGroups([
    { path: "/a.mp4", document: scores },
    { path: "/b.mp4", document: null },
  ]);
  assert.deepEqual(groups, [
    [
      { video: 0, start_seconds: 10, end_seconds: 20 },
      { video: 0, start_seconds: 30, end_seconds: 40 },
      { video: 1, start_seconds: 5, end_seconds: 12 },
    ],
  ]);
  // Trimmed, it is still that take.
  const start = edit(moment("a", 10, 18, { pinned: true }));
  assert.deepEqual(
    edits.nextBest(start, [scores], groups).map((one) => one.start_seconds),
    [60],
  );
  const second = edits.otherTake(start, "a", groups, 1);
  assert.deepEqual(second.moments, [moment("a", 30, 40, { pinned: true })]);
  const third = edits.otherTake(second, "a", groups, 1);
  assert.deepEqual(third.moments, [moment("a", 5, 12, { pinned: true, video: 1 })]);
  assert.deepEqual(spans(edits.otherTake(third, "a", groups, 1)), [[10, 20]]);
  assert.deepEqual(spans(edits.otherTake(start, "a", groups, -1)), [[5, 12]]);
  // Where another moment lies it cannot go.
  const beside = edit(moment("a", 10, 18), moment("b", 35, 38));
  assert.deepEqual(edits.otherTake(beside, "a", groups, 1).moments[0].video, 1);
  const alone = edit(moment("a", 80, 90));
  assert.equal(edits.otherTake(alone, "a", groups, 1), alone);
});

test("what was found is shown in the videos of the review, the best first", () => {
  const one = video(candidate(10, 20, 0.3), candidate(50, 60, 0.6));
  one.video.sha256_head = "b";
  const strange = { ...video(candidate(1, 2, 1)) };
  strange.video.sha256_head = "c";
  assert.deepEqual(
    edits.results([one, strange], ["a", "b"]).map(({ video, score }) => [video, score]),
    [
      [1, 0.6],
      [1, 0.3],
    ],
  );
});
