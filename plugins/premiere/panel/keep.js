// What the panel remembers: the token, in UXP's encrypted storage, and the port.
// @ts-check

const TOKEN = "hl-token";
const PORT = "hl-port";

class Memory {
  /** @param {any} uxp the module "uxp" */
  constructor(uxp) {
    this.secure = uxp.storage.secureStorage;
  }

  /** @returns {Promise<string | null>} */
  token() {
    return this.read(TOKEN);
  }

  /** @param {string | null} token null forgets it */
  async keepToken(token) {
    if (token === null) await this.secure.removeItem(TOKEN);
    else await this.secure.setItem(TOKEN, token);
  }

  /** @returns {Promise<string | null>} */
  port() {
    return this.read(PORT);
  }

  /** @param {string} port */
  async keepPort(port) {
    await this.secure.setItem(PORT, port);
  }

  /** @param {string} key @returns {Promise<string | null>} */
  async read(key) {
    try {
      /** @type {Uint8Array | null | undefined} */
      const bytes = await this.secure.getItem(key);
      // Bytes, and UXP has no TextDecoder; both values are ASCII.
      return bytes && bytes.length > 0 ? String.fromCharCode(...bytes) : null;
    } catch {
      // The storage was made by another user or machine: pair again.
      return null;
    }
  }
}

module.exports = { Memory };
