// Adobe's own buttons and progress bar where UXP has them: they follow the host's theme and focus by themselves. In a
// browser the plain elements of the page stay. Fields, sliders and boxes are plain in both.
// @ts-check

/**
 * Replace buttons and the progress bar of the page by Spectrum's; ids stay, so that nobody else needs to know.
 * @param {Document} document before anything is bound to its elements
 * @param {any} uxp the module "uxp"
 * @returns {boolean} whether the host has such widgets
 */
function useSpectrum(document, uxp) {
  if (!uxp.host) return false;
  for (const button of Array.from(document.querySelectorAll("button"))) {
    const widget = document.createElement("sp-button");
    widget.id = button.id;
    widget.className = button.className;
    widget.textContent = button.textContent;
    widget.setAttribute("variant", button.className === "accent" ? "cta" : "secondary");
    if (button.className === "quiet") widget.setAttribute("quiet", "");
    replace(button, widget);
  }
  for (const bar of Array.from(document.querySelectorAll("progress"))) {
    const widget = document.createElement("sp-progressbar");
    widget.id = bar.id;
    widget.className = bar.className;
    widget.setAttribute("max", "100");
    replace(bar, widget);
  }
  return true;
}

/** @param {Element} old @param {Element} widget */
function replace(old, widget) {
  const label = old.getAttribute("aria-label");
  if (label) widget.setAttribute("aria-label", label);
  if (old.parentNode) old.parentNode.replaceChild(widget, old);
}

module.exports = { useSpectrum };
