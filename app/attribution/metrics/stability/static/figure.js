// Stability: the maps of the changed pictures.

import { correlation } from "../../../js/metrics/headline.js";
import { arrayOf } from "../../../js/metrics/metric-maps.js";
import { numberText } from "../../../js/metrics/metric-text.js";
import { mapCard, measuredCard, similarityLines, withSimilarityNote } from "../../../js/metrics/similarity-figure.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";

/** @import { Panel } from "../../../js/state/types.js" */

/**
 * @param {any} measured
 * @param {Panel} panel
 */
export function figure(measured, panel) {
  const { score, trials } = measured.figures;
  const cards = trials.map((/** @type {Record<string, any>} */ { id, score: trialScore, ...found }) => mapCard(
    () => arrayOf(measured, id), t(`trust.figure.stability.${id}`), [...similarityLines(found), t("trust.figure.stability.score", { value: numberText(trialScore) })]));
  return withSimilarityNote(el("ul", { class: "trust-maps" }, measuredCard(panel, [t("trust.figure.stability.score", { value: numberText(score) })]), ...cards));
}

/**
 * How alike the least similar of the maps is.
 * @param {any} measured
 */
export function headline({ figures }) {
  const ranks = figures.trials.map((/** @type {Record<string, any>} */ { rank_correlation: rank }) => rank).filter(Number.isFinite);
  return correlation(ranks.length ? Math.min(...ranks) : null);
}
