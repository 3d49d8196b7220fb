// Sparseness: the Gini index, and what the strongest tenth holds.

import { plain } from "../../../js/metrics/headline.js";
import { facts, numberText } from "../../../js/metrics/metric-text.js";
import { paragraph, reasonOf } from "../../../js/metrics/number-figure.js";
import { el } from "../../../js/shared/dom.js";
import * as format from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";

/** @param {any} measured */
export function figure({ figures }) {
  return el("div", {}, facts([
    [t("trust.figure.sparseness.gini"), numberText(figures.gini)],
    [t("trust.figure.sparseness.tenth"), Number.isFinite(figures.tenth) ? format.percent(figures.tenth) : "–"],
  ]), reasonOf(figures), paragraph(t("trust.figure.sparseness.means")));
}

/**
 * The Gini index.
 * @param {any} measured
 */
export const headline = ({ figures }) => plain(figures.gini);
