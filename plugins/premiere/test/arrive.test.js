"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs/promises");
const test = require("node:test");

const { bringIn, importTimeline } = require("../panel/arrive.js");
const { listClips } = require("../panel/bin.js");
const { addMarkers } = require("../panel/markers.js");
const { planFromOtio, planFromScores } = require("../panel/plan.js");
const { change } = require("../panel/transaction.js");
const { COLORS, TICKS, makePremiere } = require("./fake_ppro.js");
const { documents, golden, goldenPath } = require("./goldens.js");

const readFile = (path) => fs.readFile(path, "utf8");
const OTIO = goldenPath("drop_frame", "premiere.otio");
const XML = goldenPath("drop_frame", "premiere.xml");
const MATCH = { name: "match day.mov", path: "/footage/match day.mov", rate: [30000, 1001], audio: 2, timecodeTicks: 3603n * TICKS + 599n };
const FRAME = 8475667200n;

function plan() {
  return planFromOtio(golden("drop_frame", "premiere.otio"));
}

async function items(ppro) {
  return new Map((await listClips(ppro)).map((clip) => [clip.path, clip.item]));
}

/** Start, end, in point in frames of each clip on the first picture track. */
function cuts(sequence) {
  return sequence.video[0].map((item) => [item.start, item.end, item.inPoint].map((ticks) => Number(ticks / FRAME)));
}

const PLANNED = [
  [0, 60, 60],
  [60, 210, 600],
];
const MARKERS = [
  ["H02 0.80", 30n * FRAME, "score 0.80, picture and sound stand out", COLORS.GREEN],
  ["H01 0.90", 135n * FRAME, "score 0.90, cheering, fast movement; louder than around it; like 0:02", COLORS.GREEN],
];

function marks(sequence) {
  return sequence.markers.map((marker) => [marker.name, marker.start, marker.comments, marker.color]);
}

test("an .otio file becomes a sequence with markers", async () => {
  const { ppro, log, state } = makePremiere({ readFile, clips: [MATCH] });
  const arrival = await bringIn(ppro, { plan: plan(), files: [async () => OTIO], items: await items(ppro) });
  assert.deepEqual(arrival, { name: "drop_frame", way: "otio", clips: 2, remarks: [] });
  assert.deepEqual(cuts(state.sequences[0]), PLANNED);
  assert.deepEqual(marks(state.sequences[0]), MARKERS);
  assert.deepEqual(log.opened, ["drop_frame"]);
  assert.deepEqual(log.undo, ["hl: add markers", "hl: colour markers"]);
});

test("in points that count from the timecode are the right frames, too", async () => {
  const { ppro } = makePremiere({ readFile, timecodePoints: true });
  const arrival = await bringIn(ppro, { plan: plan(), files: [async () => OTIO] });
  assert.deepEqual(arrival.remarks, []);
});

test("markers that came with the file are not doubled, and get their colours", async () => {
  const { ppro, state } = makePremiere({ readFile, otioMarkers: true });
  const wanted = plan();
  wanted.markers[1].color = "ORANGE";
  await bringIn(ppro, { plan: wanted, files: [async () => OTIO] });
  assert.deepEqual(marks(state.sequences[0]).map(([name, start, , color]) => [name, start, color]), [
    ["H02 0.80", 30n * FRAME, COLORS.GREEN],
    ["H01 0.90", 135n * FRAME, COLORS.ORANGE],
  ]);
});

for (const otio of ["nothing", "drops", "shifts"]) {
  test(`the .xml file comes where the .otio import ${otio}`, async () => {
    const { ppro, state } = makePremiere({ readFile, clips: [MATCH], otio });
    const arrival = await bringIn(ppro, { plan: plan(), files: [async () => OTIO, async () => XML], items: await items(ppro) });
    const words = {
      nothing: "Premiere imported nothing from the .otio file.",
      drops: "From the .otio file 1 of 2 clips arrived; that sequence was removed.",
      shifts: "From the .otio file clip 1 shows other frames than it should; that sequence was removed.",
    };
    assert.deepEqual([arrival.way, arrival.remarks], ["xml", [words[otio]]]);
    assert.equal(state.sequences.length, 1);
    assert.deepEqual(cuts(state.sequences[0]), PLANNED);
  });
}

for (const pointsRead of ["creation", "execution"]) {
  for (const timecodePoints of [false, true]) {
    test(`the API builds what no file brings: points read at ${pointsRead}, timecode in them: ${timecodePoints}`, async () => {
      const clip = { ...MATCH, timecodeTicks: 107892n * FRAME };
      const { ppro, state } = makePremiere({ readFile, clips: [clip], otio: "nothing", xml: "nothing", pointsRead, timecodePoints });
      const before = { ...state.items[0] };
      const wanted = { ...plan(), name: "match", startFrame: 107892 };
      const byPath = await items(ppro);
      const arrival = await bringIn(ppro, { plan: wanted, files: [async () => OTIO, async () => XML], items: byPath });
      assert.deepEqual([arrival.way, arrival.name, arrival.clips], ["api", "match", 2]);
      const base = timecodePoints ? 107892 : 0;
      assert.deepEqual(cuts(state.sequences[0]), PLANNED.map(([start, end, from]) => [start, end, from + base]));
      // Sound of both tracks lies under the picture.
      for (const track of state.sequences[0].audio) assert.deepEqual(cuts({ video: [track] }), cuts(state.sequences[0]));
      assert.equal(state.sequences[0].zeroPoint, 107892n * FRAME);
      assert.deepEqual(marks(state.sequences[0]), MARKERS);
      assert.deepEqual({ ...state.items[0] }, before, "the clip's own in and out points are back");
    });
  }
}

test("in and out points of the user come back after building", async () => {
  const { ppro, state } = makePremiere({ readFile, clips: [MATCH], otio: "nothing" });
  Object.assign(state.items[0], { inPoint: 10n * FRAME, outPoint: 20n * FRAME });
  await bringIn(ppro, { plan: plan(), files: [async () => OTIO], items: await items(ppro) });
  assert.deepEqual([state.items[0].inPoint, state.items[0].outPoint], [10n * FRAME, 20n * FRAME]);
  assert.deepEqual(cuts(state.sequences[0]), PLANNED);
});

test("a taken name is not used again", async () => {
  const { ppro, state } = makePremiere({ readFile, clips: [MATCH], otio: "nothing" });
  const byPath = await items(ppro);
  for (const name of ["drop_frame", "drop_frame 2"]) {
    const arrival = await bringIn(ppro, { plan: plan(), files: [async () => OTIO], items: byPath });
    assert.equal(arrival.name, name);
  }
  assert.equal(state.sequences.length, 2);
});

test("where every way fails the words of each are told", async () => {
  const { ppro } = makePremiere({ readFile, otio: "nothing", xml: "nothing" });
  const files = [async () => OTIO, async () => Promise.reject(new Error("no .xml today."))];
  await assert.rejects(bringIn(ppro, { plan: plan(), files }), {
    name: "PanelError",
    message: "Premiere imported nothing from the .otio file. no .xml today.",
  });
  const closed = makePremiere({ readFile, hasProject: false });
  await assert.rejects(bringIn(closed.ppro, { plan: plan(), files: [] }), { message: "No project is open." });
});

test("a file alone is kept where it differs, and the user is told", async () => {
  const { ppro, state } = makePremiere({ readFile, otio: "drops" });
  const arrival = await bringIn(ppro, { plan: plan(), files: [async () => OTIO] });
  assert.deepEqual(arrival.remarks, ["1 of 2 clips arrived: look at it before you use it."]);
  assert.equal(state.sequences.length, 1);
});

test("sources of several rates keep their own frames", async () => {
  const { ppro, state } = makePremiere({ readFile });
  const mixed = planFromScores(documents("mixed"), { name: "mixed", order: "rank" });
  const arrival = await bringIn(ppro, { plan: mixed, files: [async () => goldenPath("mixed", "premiere.otio")] });
  assert.deepEqual([arrival.clips, arrival.remarks], [5, []]);
  assert.equal(state.sequences[0].markers.length, 5);
});

test("a missing file imports nothing", async () => {
  const { ppro } = makePremiere({ readFile });
  assert.equal(await importTimeline(await ppro.Project.getActiveProject(), "/nowhere.otio"), null);
});

test("clips are listed once, with bin and selection; what is no video is not", async () => {
  const { ppro } = makePremiere({
    readFile,
    clips: [
      { name: "a.mov", path: "/a.mov" },
      { name: "a again", path: "/a.mov", selected: true },
      { name: "b.mp4", path: "/b.mp4", bin: "Day 1" },
      { name: "gone.mp4", path: "/gone.mp4", offline: true },
      { name: "Sequence 01", path: "", kind: "sequence" },
      { name: "Title", path: "", kind: "title" },
      { name: "music.WAV", path: "/music.WAV" },
    ],
  });
  const found = (await listClips(ppro)).map(({ name, path, bin, selected }) => ({ name, path, bin, selected }));
  assert.deepEqual(found, [
    { name: "a again", path: "/a.mov", bin: "", selected: true },
    { name: "b.mp4", path: "/b.mp4", bin: "Day 1", selected: false },
  ]);
});

test("the fake is as strict as Premiere", async () => {
  const { ppro } = makePremiere({ readFile, clips: [MATCH] });
  const project = await ppro.Project.getActiveProject();
  const [{ item }] = await listClips(ppro);
  await assert.rejects(project.importFiles([OTIO], true, undefined), /Illegal Parameter type/);
  assert.equal(await project.importFiles([OTIO], true, null), true);
  const [sequence] = await project.getSequences();
  const markers = await ppro.Markers.getMarkers(sequence);
  const zero = ppro.TickTime.createWithTicks("0");
  assert.throws(() => markers.createAddMarkerAction("H01", "Comment", zero, zero, ""), /outside lockedAccess/);
  assert.throws(() => ppro.TickTime.createWithTicks(0), /Illegal Parameter type/);
  assert.throws(() => ppro.TickTime.createWithTicks("1.5"), /Illegal Parameter type/);
  assert.throws(() => change(project, "x", () => [item.createSetInOutPointsAction("0", "1")]), /Illegal Parameter type/);
  assert.throws(() => change(project, "x", () => []), { name: "PanelError", message: 'Premiere refused the change "x".' });
  assert.throws(() => project.executeTransaction(() => {}, "x"), /outside lockedAccess/);
  assert.throws(() => project.lockedAccess(async () => {}), /synchronous/);
  assert.equal(await addMarkers(ppro, project, sequence, { ...plan(), markers: [] }), 0);
});
