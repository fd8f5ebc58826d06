// The panel's entry: UXP loads it from index.html.
// @ts-check

const { App } = require("./app.js");
const { Memory } = require("./keep.js");
const { useSpectrum } = require("./spectrum.js");
const { followTheme } = require("./theme.js");
const { View } = require("./view.js");

useSpectrum(document, require("uxp"));
const view = new View(document);
const app = new App({
  ppro: require("premierepro"),
  uxp: require("uxp"),
  memory: new Memory(require("uxp")),
  show: (state) => view.show(state),
});
view.bind(app);
view.show(app.state);
followTheme(document, () => view.redraw());
if (typeof ResizeObserver !== "undefined") {
  new ResizeObserver(() => view.redraw()).observe(/** @type {Element} */ (document.getElementById("panel")));
}
app.start();
