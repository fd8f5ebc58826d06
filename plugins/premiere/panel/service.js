// The client of `hl serve` (plugins/PROTOCOL.md, version 1), of this panel and of the review page (web/). UXP has neither EventSource nor streaming fetch,
// so jobs are polled.
// @ts-check

const { Cancelled, PanelError } = require("./errors.js");

/** The protocol this panel speaks. */
const PROTOCOL = 1;

/** Blank polls in a row after which the service counts as gone. */
const MOST_MISSED_POLLS = 5;

const ABSENT_HINT = "Start it in a terminal with: hl serve. Then press Connect.";

const FINAL_STATES = ["done", "failed", "cancelled", "interrupted"];

/**
 * @typedef {object} Job
 * @property {string} id
 * @property {string} kind
 * @property {string[]} paths
 * @property {"queued" | "running" | "done" | "failed" | "cancelled" | "interrupted"} state
 * @property {string} stage
 * @property {number} done
 * @property {number} total 0 is unknown
 * @property {number | null} position
 * @property {{message: string, hint: string} | null} error
 * @property {{message: string, hint: string}[]} problems
 * @property {string[]} remarks
 * @property {{files: string[], num_scores: number}} results
 */

/** How moments are chosen, with the names of the command line. @typedef {Record<string, string | number | boolean>} Options */

class Service {
  /**
   * @param {object} settings
   * @param {string} settings.origin "http://127.0.0.1:8765"
   * @param {string | null} [settings.token] null before pairing
   * @param {typeof fetch} [settings.fetch]
   * @param {(milliseconds: number) => Promise<void>} [settings.sleep]
   * @param {string} [settings.absentHint] what to do when nobody answers
   */
  constructor({ origin, token = null, fetch: fetchIt, sleep, absentHint = ABSENT_HINT }) {
    this.origin = origin;
    this.absentHint = absentHint;
    this.token = token;
    // Called as a plain function: a browser's fetch refuses another `this`.
    this.fetch = fetchIt || ((/** @type {any[]} */ ...args) => globalThis.fetch(...(/** @type {[any]} */ (args))));
    this.sleep = sleep || ((milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)));
  }

  /**
   * Say who is there.
   * @returns {Promise<{version: string, pairing: "open" | "closed" | "locked"}>}
   * @throws {PanelError} Nobody, not hl, or another protocol.
   */
  async about() {
    const about = await this.json("GET", "/v1/about");
    if (!about || about.name !== "hl") {
      throw new PanelError(`Another program than hl answers at ${this.origin}.`, "Start hl serve with another --port.");
    }
    if (about.protocol !== PROTOCOL) {
      throw new PanelError(
        `hl ${about.version} speaks protocol ${about.protocol}, this panel ${PROTOCOL}.`,
        "Install the panel again with: hl plugins install premiere",
      );
    }
    return about;
  }

  /**
   * Trade the code that `hl serve` shows for a token, and keep it here.
   * @param {string} code six digits; blanks do not matter
   * @returns {Promise<string>} the token
   */
  async pair(code) {
    const answer = await this.json("POST", "/v1/pair", { code });
    this.token = answer.token;
    return answer.token;
  }

  /**
   * Tell the service that the user chose these files.
   * @param {string[]} paths
   */
  async picked(paths) {
    await this.json("POST", "/v1/picked", { paths });
  }

  /**
   * @param {"score" | "export" | "find"} kind
   * @param {string[]} paths
   * @param {Options} options
   * @returns {Promise<Job>}
   */
  startJob(kind, paths, options) {
    return this.json("POST", "/v1/jobs", { kind, paths, options });
  }

  /** @param {string} id @returns {Promise<Job>} */
  cancel(id) {
    return this.json("DELETE", `/v1/jobs/${id}`);
  }

  /**
   * Wait for a job, through short absences of the service.
   * @param {string} id
   * @param {(job: Job) => void} onChange called with every answer
   * @param {number} [everyMs] between two polls
   * @returns {Promise<Job>} done, perhaps with problems
   * @throws {PanelError} It failed or was interrupted.
   * @throws {Cancelled} It was cancelled.
   */
  async finished(id, onChange, everyMs = 500) {
    let missed = 0;
    for (;;) {
      /** @type {Job} */
      let job;
      try {
        job = await this.json("GET", `/v1/jobs/${id}`);
        missed = 0;
      } catch (error) {
        const passes = error instanceof PanelError && (error.status === 0 || error.status === 503);
        missed += 1;
        if (!passes || missed >= MOST_MISSED_POLLS) throw error;
        await this.sleep(everyMs * missed);
        continue;
      }
      onChange(job);
      if (FINAL_STATES.includes(job.state)) return ended(job);
      await this.sleep(everyMs);
    }
  }

  /**
   * Return the scores documents of a job; with options the moments are chosen anew.
   * @param {string} id
   * @param {Options} [options]
   * @returns {Promise<any[]>}
   */
  async scores(id, options = {}) {
    const query = Object.entries(options).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
    const answer = await this.json("GET", `/v1/jobs/${id}/scores${query.length ? `?${query.join("&")}` : ""}`);
    return answer.documents;
  }

  /**
   * Return the picture shown at an instant, as the address of an <img>.
   * @param {string} path
   * @param {number} seconds from the first frame
   * @param {number} height in pixels
   * @returns {Promise<string>} data:image/jpeg
   */
  async thumbnail(path, seconds, height) {
    const query = `path=${encodeURIComponent(path)}&seconds=${seconds}&height=${height}`;
    const response = await this.answer("GET", `/v1/thumbnail?${query}`);
    return `data:image/jpeg;base64,${base64(new Uint8Array(await response.arrayBuffer()))}`;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  async json(method, path, body) {
    const response = await this.answer(method, path, body);
    try {
      return JSON.parse(await response.text());
    } catch {
      throw new PanelError(`The answer of ${this.origin} is not from hl.`, "Is another program on this port?");
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<Response>}
   */
  async answer(method, path, body) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    /** @type {Response} */
    let response;
    try {
      response = await this.fetch(this.origin + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch {
      throw new PanelError(
        `hl does not answer at ${this.origin}.`,
        this.absentHint,
      );
    }
    if (response.ok) return response;
    throw refusal(response.status, await response.text());
  }
}

/** @param {Job} job @returns {Job} */
function ended(job) {
  if (job.state === "done") return job;
  if (job.state === "cancelled") throw new Cancelled("cancelled");
  if (job.error) throw new PanelError(job.error.message, job.error.hint);
  throw new PanelError("hl stopped in the middle of the work, twice.", "Start hl serve again and look at its terminal.");
}

/** @param {number} status @param {string} text of the answer @returns {PanelError} */
function refusal(status, text) {
  try {
    const { message, hint } = JSON.parse(text);
    if (typeof message === "string") return new PanelError(message, typeof hint === "string" ? hint : "", status);
  } catch {
    // Not hl's own words: the number says what there is to say.
  }
  return new PanelError(`hl refused the request (status ${status}).`, "Look at the terminal of hl serve.", status);
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * Encode bytes for a data address. UXP shows those; blob addresses it has only in some hosts.
 * @param {Uint8Array} bytes
 * @returns {string}
 */
function base64(bytes) {
  /** @type {string[]} */
  const groups = [];
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const bits = (bytes[at] << 16) | ((left > 1 ? bytes[at + 1] : 0) << 8) | (left > 2 ? bytes[at + 2] : 0);
    groups.push(
      DIGITS[bits >> 18] +
        DIGITS[(bits >> 12) & 63] +
        (left > 1 ? DIGITS[(bits >> 6) & 63] : "=") +
        (left > 2 ? DIGITS[bits & 63] : "="),
    );
  }
  return groups.join("");
}

module.exports = { Service, base64 };
