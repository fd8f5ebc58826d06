// A page of almost nothing for tests without a browser: the app is tested through its state.
"use strict";

const { App } = require("../panel/app.js");
const { Memory } = require("../panel/keep.js");

/** UXP's module "uxp" with what the panel uses of it. Stored values come back as bytes, as in UXP. */
function makeUxp({ token = null, file = null } = {}) {
  const stored = new Map();
  const bytes = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  if (token !== null) stored.set("hl-token", bytes(token));
  return {
    stored,
    storage: {
      secureStorage: {
        getItem: async (key) => stored.get(key),
        setItem: async (key, value) => void stored.set(key, bytes(value)),
        removeItem: async (key) => void stored.delete(key),
      },
      localFileSystem: { getFileForOpening: async () => file },
    },
  };
}

/**
 * An app over a list of answers: each is [method, path, status, body]; what is asked out of turn fails the test.
 */
function makeApp({ ppro, answers, token = "secret", file = null }) {
  const { Service } = require("../panel/service.js");
  const uxp = makeUxp({ token, file });
  const asked = [];
  const fetch = async (url, { method, headers, body }) => {
    const path = url.replace("http://127.0.0.1:8765", "");
    asked.push({ method, path, token: headers.Authorization, body: body === undefined ? null : JSON.parse(body) });
    const next = answers.shift();
    if (!next) throw new Error(`nobody answers ${method} ${path}`);
    const [wantedMethod, wantedPath, status, content] = next;
    if (status === 0) throw new TypeError("Network request failed");
    if (method !== wantedMethod || path !== wantedPath) throw new Error(`${method} ${path}, not ${wantedMethod} ${wantedPath}`);
    // An answer may be late: a promise of its content.
    const said = await content;
    return new Response(typeof said === "string" ? said : JSON.stringify(said), { status });
  };
  const states = [];
  const app = new App({
    ppro,
    uxp,
    memory: new Memory(uxp),
    show: (state) => states.push(structuredClone({ ...state, clips: state.clips.map((clip) => clip.path) })),
    makeService: (settings) => new Service({ ...settings, fetch, sleep: async () => {} }),
  });
  return { app, asked, states, uxp };
}

module.exports = { makeApp, makeUxp };
