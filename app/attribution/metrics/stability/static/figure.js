// Stability: the maps of the changed pictures.

import { arrayOf } from "../../../js/metrics/metric-maps.js";
import { score } from "../../../js/metrics/metric-text.js";
import { explained, judged, likenessLines, mapCard } from "../../../js/metrics/similarity-figure.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";

/** @import { Panel } from "../../../js/state/types.js" */

/**
 * @param {any} measured
 * @param {Panel} panel
 */
export function figure(measured, panel) {
  const { score: here, trials } = measured.figures;
  const cards = trials.map((/** @type {Record<string, any>} */ { id, score: there, ...found }) => mapCard(
    () => arrayOf(measured, id), t(`trust.figure.stability.${id}`), [...likenessLines(found), t("trust.figure.stability.score", { value: score(there) })]));
  return explained(el("ul", { class: "trust-maps" }, judged(panel, [t("trust.figure.stability.score", { value: score(here) })]), ...cards));
}
