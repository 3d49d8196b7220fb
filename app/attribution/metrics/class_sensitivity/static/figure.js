// Class sensitivity: the maps of other classes.

import { correlation } from "../../../js/metrics/headline.js";
import { arrayOf } from "../../../js/metrics/metric-maps.js";
import { mapCard, measuredCard, similarityLines, withSimilarityNote } from "../../../js/metrics/similarity-figure.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";

/** @import { Panel } from "../../../js/state/types.js" */

/**
 * @param {any} measured
 * @param {Panel} panel
 */
export function figure(measured, panel) {
  const cards = measured.figures.classes.map((/** @type {Record<string, any>} */ { target, label, random, ...found }) => mapCard(
    () => arrayOf(measured, String(target)), el("span", { lang: "en" }, label ?? String(target)), [...similarityLines(found), random ? t("trust.figure.class_sensitivity.drawn") : null]));
  return withSimilarityNote(el("ul", { class: "trust-maps" }, measuredCard(panel, [panel.target?.label ?? ""]), ...cards));
}

/**
 * How alike the maps of other classes are, on average.
 * @param {any} measured
 */
export function headline({ figures }) {
  const ranks = figures.classes.map((/** @type {Record<string, any>} */ { rank_correlation: rank }) => rank).filter(Number.isFinite);
  return correlation(ranks.length ? ranks.reduce((/** @type {number} */ sum, /** @type {number} */ rank) => sum + rank, 0) / ranks.length : null);
}
