// Light and dark. Premiere tells its theme through document.theme; a browser through prefers-color-scheme.
// @ts-check

const THEMES = ["light", "dark", "darkest"];

/**
 * Keep the body's class at the theme of the host.
 * @param {Document} document
 * @param {() => void} onChange called after each change: a canvas does not follow style sheets
 */
function followTheme(document, onChange) {
  /** @type {any} */
  const hostTheme = /** @type {any} */ (document).theme;
  /** @param {string} name */
  const apply = (name) => {
    document.body.className = `theme-${THEMES.includes(name) ? name : "dark"}`;
    onChange();
  };
  if (hostTheme && typeof hostTheme.getCurrent === "function") {
    apply(String(hostTheme.getCurrent()));
    hostTheme.onUpdated.addListener((/** @type {unknown} */ name) =>
      apply(typeof name === "string" ? name : String(hostTheme.getCurrent())),
    );
    return;
  }
  const light = globalThis.matchMedia("(prefers-color-scheme: light)");
  apply(light.matches ? "light" : "dark");
  light.addEventListener("change", () => apply(light.matches ? "light" : "dark"));
}

module.exports = { followTheme };
