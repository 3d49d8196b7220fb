// Maximum sensitivity: the largest change.

import { plain } from "../../../js/metrics/headline.js";
import { facts, numberText } from "../../../js/metrics/metric-text.js";
import { paragraph, reasonOf } from "../../../js/metrics/number-figure.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";

/** @param {any} measured */
export function figure({ figures }) {
  return el("div", {}, facts([[t("trust.figure.max_sensitivity.largest"), numberText(figures.max_sensitivity)]]), reasonOf(figures), paragraph(t("trust.figure.max_sensitivity.means")));
}

/**
 * The largest change.
 * @param {any} measured
 */
export const headline = ({ figures }) => plain(figures.max_sensitivity);
