// The trust panel and the table of checks: their words, styles and elements, fetched when it is first opened.

import { el } from "../shared/dom.js";
import { style } from "../shared/style-sheets.js";
import { addTexts } from "../shared/texts.js";
import { ChecksDialog } from "./checks-dialog.js";
import { loadFigures } from "./figures.js";
import { loadMetrics } from "./metric-list.js";
import { SmallMap } from "./small-map.js";
import { TrustDialog } from "./trust-dialog.js";
import { TrustMetric } from "./trust-metric.js";
import { TrustVerdict } from "./trust-verdict.js";

// Inner elements first: an element may use those that it contains as soon as it is built.
/** @type {Record<string, CustomElementConstructor>} */
const ELEMENTS = { "small-map": SmallMap, "trust-verdict": TrustVerdict, "trust-metric": TrustMetric, "checks-dialog": ChecksDialog, "trust-dialog": TrustDialog };

async function load() {
  await Promise.all([addTexts("measuring"), addTexts("findings"), loadMetrics(), loadFigures(), style("chart"), style("drawer"), style("trust"), style("checks")]);
  for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
  document.body.append(el("checks-dialog"), el("trust-dialog")); // the one that opens over the other comes later
}

/** @type {Promise<void> | null} */
let begun = null;

/** Whichever of the two dialogs is wanted first; what could not be fetched is tried again. */
export async function begin() {
  begun ??= load();
  try {
    await begun;
  } catch (error) {
    begun = null;
    throw error;
  }
}
