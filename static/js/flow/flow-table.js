// The gradient flow as a table: one row for each layer.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { nameOf, shapeText, shareText, sizeText } from "./layer-text.js";

/** @import { FlowLayer } from "../api/types.js" */

/**
 * The key of each column's title, and the text of its cell for a layer.
 * @type {[string, (layer: FlowLayer) => string][]}
 */
const COLUMNS = [
  ["flow.layer", nameOf],
  ["flow.kind", ({ kind }) => kind],
  ["flow.shape", ({ shape }) => shapeText(shape)],
  ["flow.norm", ({ norm }) => sizeText(norm)],
  ["flow.rms", ({ rms }) => sizeText(rms)],
  ["flow.dead", ({ dead }) => shareText(dead)],
  ["flow.units", ({ dead_units: units }) => shareText(units)],
  ["flow.saturated", ({ saturated }) => shareText(saturated)],
  ["flow.received", ({ pooling }) => shareText(pooling?.received)],
];

/**
 * The table in a scrollable region, with the layers in the order in which the network computes them.
 * @param {FlowLayer[]} layers
 */
export function flowTable(layers) {
  return el("div", { class: "flow-scroll", tabindex: "0", role: "region", "aria-label": t("flow.table") },
    el("table", {},
      el("caption", { class: "unseen" }, t("flow.table")),
      el("thead", {}, el("tr", {}, ...COLUMNS.map(([key]) => el("th", { scope: "col" }, t(key))))),
      el("tbody", {}, ...layers.map((layer) => el("tr", {}, ...COLUMNS.map(([, cellText], column) => (
        el(column ? "td" : "th", column ? {} : { scope: "row" }, cellText(layer)))))))));
}
