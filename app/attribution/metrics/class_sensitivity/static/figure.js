// Class sensitivity: the maps of other classes.

import { correlation } from "../../../js/metrics/headline.js";
import { arrayOf } from "../../../js/metrics/metric-maps.js";
import { mapCard, measuredCard, similarityLines, withSimilarityNote } from "../../../js/metrics/similarity-figure.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";
import { store } from "../../../js/state/store.js";

/** @import { Panel } from "../../../js/state/types.js" */

/**
 * A class in the page's language where that is known, else by its label.
 * @param {string} label
 */
function classNode(label) {
  const name = store.state.classNames[label];
  return el("span", name ? {} : { lang: "en" }, name ?? label);
}

/**
 * @param {any} measured
 * @param {Panel} panel
 */
export function figure(measured, panel) {
  const cards = measured.figures.classes.map((/** @type {Record<string, any>} */ { target, label, random, ...found }) => mapCard(
    () => arrayOf(measured, String(target)), classNode(label ?? String(target)), [...similarityLines(found), random ? t("trust.figure.class_sensitivity.drawn") : null]));
  return withSimilarityNote(el("ul", { class: "trust-maps" }, measuredCard(panel, [panel.target ? classNode(panel.target.label).textContent : ""]), ...cards));
}

/**
 * How alike the maps of other classes are, on average.
 * @param {any} measured
 */
export function headline({ figures }) {
  const ranks = figures.classes.map((/** @type {Record<string, any>} */ { rank_correlation: rank }) => rank).filter(Number.isFinite);
  return correlation(ranks.length ? ranks.reduce((/** @type {number} */ sum, /** @type {number} */ rank) => sum + rank, 0) / ranks.length : null);
}
