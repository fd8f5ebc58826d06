// Markers over a sequence, added through the API: whether those of an .otio file arrive nobody has shown.
// @ts-check

const { frameToTicks } = require("./ticks.js");
const { change } = require("./transaction.js");

/** @import { premierepro, Project, Sequence } from "@adobe/premierepro" */
/** @import { Plan, PlanMarker } from "./plan.js" */

/**
 * Put the markers of a plan on a sequence, each once: one of the same name at the same tick stays and gets
 * its colour.
 * @param {premierepro} ppro
 * @param {Project} project
 * @param {Sequence} sequence
 * @param {Plan} plan
 * @returns {Promise<number>} how many the sequence lacked
 */
async function addMarkers(ppro, project, sequence, plan) {
  if (plan.markers.length === 0) return 0;
  const markers = await ppro.Markers.getMarkers(sequence);
  const there = new Set(markers.getMarkers().map((marker) => key(marker.getName(), marker.getStart().ticks)));
  const missing = plan.markers.filter((one) => !there.has(key(one.name, frameToTicks(one.start, plan.rate))));
  if (missing.length > 0) {
    change(project, "hl: add markers", () =>
      missing.map((one) =>
        markers.createAddMarkerAction(
          one.name,
          ppro.Marker.MARKER_TYPE_COMMENT,
          ppro.TickTime.createWithTicks(frameToTicks(one.start, plan.rate)),
          ppro.TickTime.createWithTicks(frameToTicks(one.frames, plan.rate)),
          one.comment,
        ),
      ),
    );
  }
  // A marker has no colour when it is made; it gets one once it is there.
  const wanted = new Map(plan.markers.map((one) => [key(one.name, frameToTicks(one.start, plan.rate)), one]));
  const present = (await ppro.Markers.getMarkers(sequence)).getMarkers();
  change(project, "hl: colour markers", () =>
    present.flatMap((marker) => {
      const one = wanted.get(key(marker.getName(), marker.getStart().ticks));
      return one ? [marker.createSetColorByIndexAction(colorIndex(ppro, one))] : [];
    }),
  );
  return missing.length;
}

/** @param {string} name @param {string} ticks */
function key(name, ticks) {
  return `${ticks} ${name}`;
}

/** @param {premierepro} ppro @param {PlanMarker} marker @returns {number} */
function colorIndex(ppro, marker) {
  const { CYAN, GREEN, ORANGE, YELLOW } = ppro.Constants.MarkerColor;
  /** @type {Record<string, number>} */
  const colors = { CYAN, GREEN, ORANGE, YELLOW };
  return marker.color in colors ? colors[marker.color] : GREEN;
}

module.exports = { addMarkers };
