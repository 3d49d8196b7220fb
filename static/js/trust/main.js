// The trust panel: its words, styles and elements, fetched when it is first opened.

import { el } from "../dom.js";
import { style } from "../sheets.js";
import { addTexts } from "../texts.js";
import { loadMetrics } from "./metrics.js";
import { SmallMap } from "./small-map.js";
import { TrustDialog } from "./trust-dialog.js";
import { TrustMetric } from "./trust-metric.js";
import { TrustVerdict } from "./trust-verdict.js";

// Inner elements first: an element may use those that it contains as soon as it is built.
const ELEMENTS = { "small-map": SmallMap, "trust-verdict": TrustVerdict, "trust-metric": TrustMetric, "trust-dialog": TrustDialog };

export async function begin() {
  await Promise.all([addTexts("measuring"), addTexts("findings"), loadMetrics(), style("chart"), style("drawer"), style("trust")]);
  for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
  document.body.append(el("trust-dialog"));
}
