// Complexity: the entropy, beside that of a map that is the same everywhere.

import { plain } from "../../../js/metrics/headline.js";
import { facts, numberText } from "../../../js/metrics/metric-text.js";
import { paragraph, reasonOf } from "../../../js/metrics/number-figure.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";

/** @param {any} measured */
export function figure({ figures }) {
  return el("div", {}, facts([
    [t("trust.figure.complexity.entropy"), numberText(figures.entropy)],
    [t("trust.figure.complexity.largest"), numberText(figures.largest)],
    [t("trust.figure.complexity.places"), Number.isFinite(figures.places) ? Math.round(figures.places).toString() : "–"],
  ]), reasonOf(figures), paragraph(t("trust.figure.complexity.means")));
}

/**
 * The entropy.
 * @param {any} measured
 */
export const headline = ({ figures }) => plain(figures.entropy);
