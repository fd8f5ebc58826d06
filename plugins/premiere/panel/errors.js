// What goes wrong, in words: a message and what to do next.
// @ts-check

class PanelError extends Error {
  /**
   * @param {string} message what happened
   * @param {string} [hint] what to do next; empty where nothing can be
   * @param {number} [status] of the service's answer; 0 where there was none
   */
  constructor(message, hint = "", status = 0) {
    super(message);
    this.name = "PanelError";
    this.hint = hint;
    this.status = status;
  }
}

/** The user stopped it; nobody needs to be told. */
class Cancelled extends Error {}

/**
 * Return message and hint of anything that was thrown.
 * @param {unknown} thrown
 * @returns {{message: string, hint: string}}
 */
function inWords(thrown) {
  if (thrown instanceof PanelError) return { message: thrown.message, hint: thrown.hint };
  if (thrown instanceof RangeError) return { message: thrown.message, hint: "" };
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return {
    message: `Something went wrong in the panel: ${text}`,
    hint: "Try again; if it stays so, reload the panel and report this sentence.",
  };
}

module.exports = { Cancelled, PanelError, inWords };
