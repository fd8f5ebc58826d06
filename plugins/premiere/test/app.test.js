"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs/promises");
const test = require("node:test");

const { Service, base64 } = require("../panel/service.js");
const { makePremiere } = require("./fake_ppro.js");
const { documents, goldenPath } = require("./goldens.js");
const { makeApp } = require("./host_page.js");

const readFile = (path) => fs.readFile(path, "utf8");
const ABOUT = { name: "hl", version: "0.1.0", protocol: 1, pairing: "open" };
const MATCH = { name: "match day.mov", path: "/footage/match day.mov", rate: [30000, 1001], audio: 2, selected: true };
const OTIO = goldenPath("drop_frame", "premiere.otio");

function job(fields) {
  return {
    id: "j1", kind: "score", paths: [], state: "done", stage: "", done: 0, total: 0, position: null, error: null,
    problems: [], remarks: [], results: { files: [], num_scores: 1 }, ...fields,
  };
}

/** @param {any[]} answers @param {object} [more] */
function connected(answers, more = {}) {
  const premiere = makePremiere({ readFile, clips: [MATCH, { name: "b", path: "/footage/b.mp4" }], ...more.premiere });
  return { premiere, ...makeApp({ ppro: premiere.ppro, answers: [["GET", "/v1/about", 200, ABOUT], ...answers], ...more }) };
}

const SCORED = [
  // A link: the service looks at the file behind it, documents keep the name that was given.
  ["POST", "/v1/picked", 200, { picked: ["/real/match day.mov"] }],
  ["POST", "/v1/jobs", 202, job({ state: "queued", position: 2 })],
  ["GET", "/v1/jobs/j1", 200, job({ state: "queued", position: 2 })],
  ["GET", "/v1/jobs/j1", 200, job({ state: "running", stage: "match day.mov: looking", done: 15, total: 60 })],
  ["GET", "/v1/jobs/j1", 200, job({ remarks: ["the sound is silent"] })],
  ["GET", "/v1/jobs/j1/scores", 200, { documents: documents("drop_frame") }],
];

test("with a token the panel lists the clips and takes what is selected", async () => {
  const { app, asked } = connected([]);
  await app.start();
  assert.equal(app.state.connection, "ready");
  assert.deepEqual([...app.state.chosen], ["/footage/match day.mov"]);
  assert.equal(app.state.clips.length, 2);
  assert.equal(asked[0].token, "Bearer secret");
});

test("a code becomes a token that is kept", async () => {
  const { app, asked, uxp } = connected([["POST", "/v1/pair", 200, { token: "new" }]], { token: null });
  await app.start();
  assert.equal(app.state.connection, "unpaired");
  await app.pair(" 123 456 ", "8765");
  assert.deepEqual(asked[1], { method: "POST", path: "/v1/pair", token: undefined, body: { code: "123 456" } });
  assert.equal(String.fromCharCode(...uxp.stored.get("hl-token")), "new");
  assert.equal(app.state.connection, "ready");
  assert.equal(app.service.token, "new");
});

test("a token that is no longer good is forgotten", async () => {
  const { app, uxp } = connected([["POST", "/v1/picked", 401, { message: "the token is wrong", hint: "pair again" }]]);
  await app.start();
  await app.score();
  assert.equal(app.state.connection, "unpaired");
  assert.equal(uxp.stored.has("hl-token"), false);
  assert.deepEqual(app.state.message, { kind: "error", text: "The token is wrong.", hint: "Pair again" });
});

test("who is not hl, or another hl, is told in words", async () => {
  const cases = [
    [0, "", "hl does not answer at http://127.0.0.1:8765."],
    [200, "<html>", "The answer of http://127.0.0.1:8765 is not from hl."],
    [200, { name: "other" }, "Another program than hl answers at http://127.0.0.1:8765."],
    [200, { ...ABOUT, protocol: 2 }, "hl 0.1.0 speaks protocol 2, this panel 1."],
    [500, "oops", "hl refused the request (status 500)."],
  ];
  for (const [status, body, text] of cases) {
    const { ppro } = makePremiere({ readFile });
    const { app } = makeApp({ ppro, answers: [["GET", "/v1/about", status, body]] });
    await app.start();
    assert.equal(app.state.connection, "absent");
    assert.equal(app.state.message.text, text);
  }
  const { app } = connected([]);
  await app.connect("9999");
  assert.equal(app.state.message.text, "The panel may not use port 9999.");
});

test("closed pairing says what to start", async () => {
  const premiere = makePremiere({ readFile });
  const answers = [["GET", "/v1/about", 200, { ...ABOUT, pairing: "closed" }]];
  const { app } = makeApp({ ppro: premiere.ppro, answers, token: null });
  await app.start();
  assert.deepEqual([app.state.connection, app.state.message.hint], ["unpaired", "Start it with: hl serve --open-pairing"]);
});

test("scoring shows the queue and the progress, and ends with the documents", async () => {
  const { app, asked, states } = connected(SCORED);
  await app.start();
  await app.score();
  assert.deepEqual(asked[2].body, { kind: "score", paths: ["/footage/match day.mov"], options: {} });
  const shown = states.filter((state) => state.progress).map((state) => [state.progress.stage, state.progress.share]);
  assert.deepEqual([...new Set(shown.map(String))], ["Starting ...,0", "Waiting for 2 other jobs ...,0", "match day.mov: looking,0.25"]);
  assert.deepEqual(app.state.results.documents, documents("drop_frame"));
  assert.deepEqual(app.state.message, { kind: "info", text: "The sound is silent.", hint: "" });
  assert.deepEqual([app.state.busy, app.state.progress, app.jobId], ["", null, null]);
});

test("a short absence of the service is waited out, a long one is told", async () => {
  const away = ["GET", "/v1/jobs/j1", 0, ""];
  const back = [...SCORED.slice(0, 2), away, away, away, ...SCORED.slice(4)];
  const first = connected(back);
  await first.app.start();
  await first.app.score();
  assert.notEqual(first.app.state.results, null);
  const gone = connected([...SCORED.slice(0, 2), away, away, away, away, away]);
  await gone.app.start();
  await gone.app.score();
  assert.equal(gone.app.state.message.text, "hl does not answer at http://127.0.0.1:8765.");
});

test("what fails is told with its hint, and what is cancelled without fuss", async () => {
  const failed = job({ state: "failed", error: { message: "no video can be read", hint: "is it a film?" } });
  const cases = [
    [failed, { kind: "error", text: "No video can be read.", hint: "Is it a film?" }],
    [job({ state: "cancelled" }), { kind: "info", text: "Cancelled.", hint: "" }],
  ];
  for (const [end, message] of cases) {
    const { app } = connected([...SCORED.slice(0, 2), ["GET", "/v1/jobs/j1", 200, end]]);
    await app.start();
    await app.score();
    assert.deepEqual(app.state.message, message);
    assert.equal(app.state.results, null);
  }
});

test("sliders choose anew without a job, and the last movement wins", async () => {
  const [document] = documents("drop_frame");
  const top = (count) => ({ documents: [{ ...document, moments: document.moments.slice(0, count) }] });
  const { app } = connected([
    ...SCORED,
    ["GET", "/v1/jobs/j1/scores?top=1", 200, new Promise((resolve) => setTimeout(() => resolve(top(1)), 20))],
    ["GET", "/v1/jobs/j1/scores?top=2", 200, top(2)],
    ["GET", "/v1/jobs/j1/scores?target_duration=12", 200, top(0)],
  ]);
  await app.start();
  await app.score();
  await Promise.all([app.adjust({ mode: "count", count: 1 }), app.adjust({ count: 2 })]);
  assert.equal(app.state.results.documents[0].moments.length, 2);
  await app.adjust({ mode: "length", lengthSeconds: 12 });
  assert.equal(app.state.results.documents[0].moments.length, 0);
});

const EXPORTED = [
  ["POST", "/v1/jobs", 202, job({ id: "j2", kind: "export", state: "queued" })],
  ["GET", "/v1/jobs/j2", 200, job({ id: "j2", results: { files: [OTIO], num_scores: 1 } })],
  ["GET", "/v1/jobs/j2/scores", 200, { documents: documents("drop_frame") }],
];

test("the sequence is made of what is chosen", async () => {
  const { app, asked, premiere } = connected([...SCORED, ...EXPORTED]);
  await app.start();
  await app.score();
  await app.createSequence();
  assert.deepEqual(asked[7].body, {
    kind: "export",
    paths: ["/footage/match day.mov"],
    options: { for: "premiere", order: "time", markers_only: false },
  });
  assert.deepEqual(app.state.message, { kind: "good", text: 'Sequence "drop_frame" with 2 clips and 2 markers.', hint: "" });
  assert.deepEqual(premiere.log.opened, ["drop_frame"]);
});

test("where no file is taken the API builds it from the bin's own clip, and the user is told", async () => {
  const refused = ["POST", "/v1/jobs", 403, { message: "the output is outside the roots", hint: "" }];
  const { app, asked, premiere } = connected([...SCORED, ...EXPORTED, refused], { premiere: { otio: "nothing" } });
  await app.start();
  await app.score();
  await app.createSequence();
  assert.equal(asked[10].body.options.output, "premiere.xml");
  assert.deepEqual(app.state.message, {
    kind: "good",
    text: 'Sequence "match day highlights" with 2 clips and 2 markers.',
    hint: "Premiere imported nothing from the .otio file. hl wrote no .xml file.",
  });
  assert.equal(premiere.state.sequences.length, 1);
});

test("the .xml file comes second", async () => {
  const [, waited] = EXPORTED;
  const asXml = [
    ["POST", "/v1/jobs", 202, job({ id: "j3", kind: "export", state: "queued" })],
    ["GET", "/v1/jobs/j3", 200, { ...waited[3], id: "j3", results: { files: [OTIO.replace(/otio$/, "xml")], num_scores: 1 } }],
  ];
  const { app, premiere } = connected([...SCORED, ...EXPORTED, ...asXml], { premiere: { otio: "drops" } });
  await app.start();
  await app.score();
  await app.createSequence();
  assert.equal(app.state.message.hint, "From the .otio file 1 of 2 clips arrived; that sequence was removed.");
  assert.deepEqual([premiere.state.sequences.length, premiere.state.sequences[0].markers.length], [1, 2]);
});

test("with the Alt key nothing is imported: the API builds it", async () => {
  const { app, premiere } = connected([...SCORED, ...EXPORTED]);
  await app.start();
  await app.score();
  await app.createSequence({ byHand: true });
  assert.deepEqual(app.state.message.text, 'Sequence "match day highlights" with 2 clips and 2 markers.');
  assert.deepEqual(premiere.log.imports, []);
  assert.deepEqual(premiere.state.sequences[0].video[0].map((item) => item.end - item.start), [60n, 150n].map((frames) => frames * 8475667200n));
});

test("a picked file needs no service", async () => {
  const file = { nativePath: OTIO, read: () => readFile(OTIO) };
  const { ppro, state } = makePremiere({ readFile });
  const { app } = makeApp({ ppro, answers: [], file });
  await app.importFile();
  assert.equal(app.state.message.text, 'Sequence "drop_frame" with 2 clips.');
  assert.equal(state.sequences[0].markers.length, 2);
  const wrong = makeApp({ ppro, answers: [], file: { nativePath: "/x.otio", read: async () => "{}" } });
  await wrong.app.importFile();
  assert.equal(wrong.app.state.message.text, "The file is not an OpenTimelineIO timeline with clips.");
  for (const nothing of [null, []]) {
    const { app: idle } = makeApp({ ppro, answers: [], file: nothing });
    await idle.importFile();
    assert.equal(idle.state.message, null);
  }
});

test("one thing at a time", async () => {
  const { app, asked } = connected(SCORED);
  await app.start();
  await Promise.all([app.score(), app.score(), app.refresh()]);
  assert.equal(asked.filter((one) => one.path === "/v1/picked").length, 1);
  assert.notEqual(app.state.results, null);
});

test("thumbnails are data addresses, bytes encoded as everywhere", async () => {
  for (const length of [0, 1, 2, 3, 4, 255]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 37) % 256);
    assert.equal(base64(bytes), Buffer.from(bytes).toString("base64"));
  }
  const asked = [];
  const fetch = async (url) => asked.push(url) && new Response(Uint8Array.of(255, 216));
  const service = new Service({ origin: "http://127.0.0.1:8765", token: "t", fetch });
  assert.equal(await service.thumbnail("/a b/#1&.mp4", 1.5, 108), "data:image/jpeg;base64,/9g=");
  assert.deepEqual(asked, ["http://127.0.0.1:8765/v1/thumbnail?path=%2Fa%20b%2F%231%26.mp4&seconds=1.5&height=108"]);
});
