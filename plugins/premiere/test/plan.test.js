"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");

const { bandColor, pathFromUrl, planFromOtio, planFromScores, twoDecimals } = require("../panel/plan.js");
const ticks = require("../panel/ticks.js");
const { documents, golden } = require("./goldens.js");

const NTSC = { num: 30000n, den: 1001n };

test("a frame is a whole number of ticks at every standard rate", () => {
  const expected = { "24000/1001": "10594584000", "30000/1001": "8475667200", "60000/1001": "4237833600", "25/1": "10160640000" };
  for (const [rate, frame] of Object.entries(expected)) {
    assert.equal(ticks.frameToTicks(1, ticks.parseRate(rate)), frame);
    assert.equal(ticks.frameToTicks(1_000_001, ticks.parseRate(rate)), (BigInt(frame) * 1_000_001n).toString());
  }
});

test("seconds become the frame whose start is nearest, the later one halfway", () => {
  assert.equal(ticks.frameAt(ticks.exactly(2.002), NTSC), 60);
  assert.equal(ticks.frameAt(ticks.exactly(0.5), { num: 1n, den: 1n }), 1);
  assert.equal(ticks.frameAt(ticks.exactly(0.49999999999999994), { num: 1n, den: 1n }), 0);
});

test("rates are exact, and those that files round are recognised", () => {
  assert.deepEqual(ticks.nearestRate(29.97002997002997), NTSC);
  assert.deepEqual(ticks.nearestRate(25), { num: 25n, den: 1n });
  assert.throws(() => ticks.parseRate("29.97"), /not a frame rate/);
  assert.throws(() => ticks.parseRate("30/0"), /not a frame rate/);
  assert.throws(() => ticks.nearestRate(Number.NaN), /not a frame rate/);
});

test("timecode counts drop-frame where it is written so", () => {
  assert.equal(ticks.timecodeToFrame("01:00:00;00", NTSC), 107892);
  assert.equal(ticks.timecodeToFrame("01:00:00:00", NTSC), 108000);
  assert.equal(ticks.timecodeToFrame("16:37:10;02", { num: 30n, den: 1n }), 1793106);
  assert.equal(ticks.timecodeToFrame("00:00:01;02", { num: 24n, den: 1n }), 26);
  assert.equal(ticks.timecodeToFrame(null, NTSC), 0);
  assert.equal(ticks.timecodeToFrame("01:00:00:30", NTSC), 0);
});

/** @param {any} plan */
function withoutPaths(plan) {
  // Goldens hold paths as Premiere writes them, the scores as the system does; a start timecode was asked for.
  return { ...plan, name: "", startFrame: 0, cuts: plan.cuts.map((cut) => ({ ...cut, path: "" })) };
}

for (const [name, order] of [["drop_frame", "time"], ["mixed", "rank"], ["silent", "time"]]) {
  test(`scores give the plan that hl wrote as .otio: ${name}`, () => {
    const fromScores = planFromScores(documents(name), { name, order });
    assert.deepEqual(withoutPaths(fromScores), withoutPaths(planFromOtio(golden(name, "premiere.otio"))));
  });
}

test("scores give the plan that hl wrote as .otio: markers only", () => {
  const fromScores = planFromScores(documents("markers_only"), { name: "", markersOnly: true });
  assert.deepEqual(withoutPaths(fromScores), withoutPaths(planFromOtio(golden("markers_only", "premiere.otio"))));
});

test("markers of clips and markers of the timeline say the same", () => {
  const premiere = planFromOtio(golden("drop_frame", "premiere.otio"));
  assert.deepEqual(planFromOtio(golden("drop_frame", "generic.otio")).markers, premiere.markers);
  assert.deepEqual(planFromOtio(golden("drop_frame", "resolve.otio")).cuts, premiere.cuts);
});

test("several picture tracks are read in the order of the sequence", () => {
  const plan = planFromOtio(golden("track_per_source", "premiere.otio"));
  const starts = plan.cuts.map((cut) => cut.recordStart);
  assert.equal(plan.cuts.length, JSON.parse(golden("track_per_source", "premiere.otio")).metadata.hl.num_moments);
  assert.deepEqual(starts, [...starts].sort((a, b) => a - b));
  for (const [index, cut] of plan.cuts.slice(1).entries()) assert.equal(cut.recordStart, plan.cuts[index].recordEnd);
});

test("the best first is an order of its own", () => {
  const plan = planFromScores(documents("drop_frame"), { name: "x", order: "rank" });
  assert.deepEqual(plan.cuts.map((cut) => [cut.rank, cut.first, cut.recordStart, cut.recordEnd]), [
    [1, 600, 0, 150],
    [2, 60, 150, 210],
  ]);
  assert.deepEqual(plan.markers.map((marker) => [marker.name, marker.start]), [
    ["H01 0.90", 75],
    ["H02 0.80", 180],
  ]);
});

test("moments that meet within a frame share none", () => {
  const [document] = documents("drop_frame");
  const moment = { ...document.moments[0], peak_seconds: 1 };
  const moments = [
    { ...moment, start_seconds: 0, end_seconds: 1.02 },
    { ...moment, start_seconds: 1, end_seconds: 1.01 },
    { ...moment, start_seconds: 59.9, end_seconds: 61 },
  ];
  const plan = planFromScores([{ ...document, moments }], { name: "x" });
  assert.deepEqual(plan.cuts.map((cut) => [cut.first, cut.end]), [[0, 31], [31, 32], [1795, 1800]]);
});

test("what is no timeline is refused in words", () => {
  for (const text of ["", "{", "null", "[]", "{}", '{"tracks": {"children": [], "markers": []}}']) {
    assert.throws(() => planFromOtio(text), { name: "RangeError", message: /not an OpenTimelineIO timeline/ }, text);
  }
  assert.throws(() => planFromScores([{ ...documents("silent")[0], moments: [] }], { name: "x" }), /no moment/);
});

test("paths and scores are written as hl writes them", () => {
  assert.equal(pathFromUrl("file:///Users/a%20b/%23.mov"), "/Users/a b/#.mov");
  assert.equal(pathFromUrl("file:///C:/a%20b.mp4"), "C:\\a b.mp4");
  assert.equal(pathFromUrl("file://server/share/a.mp4"), "\\\\server\\share\\a.mp4");
  assert.equal(pathFromUrl("/bare/a%20b.mov"), "/bare/a%20b.mov");
  assert.deepEqual([0.125, 0.375, 0.625, 0.875, 0.005, 0.795, 1].map(twoDecimals), ["0.12", "0.38", "0.62", "0.88", "0.01", "0.80", "1.00"]);
  assert.deepEqual([0.8, 0.79, 0.6, 0.4, 0.39, 0].map(bandColor), ["GREEN", "CYAN", "CYAN", "YELLOW", "ORANGE", "ORANGE"]);
});
