// The gradient flow's dialog: its words, styles and elements, fetched when it is first opened.

import { el } from "../shared/dom.js";
import { style } from "../shared/style-sheets.js";
import { addTexts } from "../shared/texts.js";
import { FlowDialog } from "./flow-dialog.js";
import { FlowFigure } from "./flow-figure.js";
import { FlowLayerDetails } from "./flow-layer-details.js";

// Inner elements first: an element may use those that it contains as soon as it is built.
/** @type {Record<string, CustomElementConstructor>} */
const ELEMENTS = { "flow-layer-details": FlowLayerDetails, "flow-figure": FlowFigure, "flow-dialog": FlowDialog };

export async function begin() {
  await Promise.all([addTexts("flow"), style("chart"), style("drawer"), style("flow")]);
  for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
  document.body.append(el("flow-dialog"));
}
