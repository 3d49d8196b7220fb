// Class sensitivity: the maps of other classes.

import { arrayOf } from "../../../js/metrics/metric-maps.js";
import { explained, judged, likenessLines, mapCard } from "../../../js/metrics/similarity-figure.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";

/** @import { Panel } from "../../../js/state/types.js" */

/**
 * @param {any} measured
 * @param {Panel} panel
 */
export function figure(measured, panel) {
  const cards = measured.figures.classes.map((/** @type {Record<string, any>} */ { target, label, random, ...found }) => mapCard(
    () => arrayOf(measured, String(target)), el("span", { lang: "en" }, label ?? String(target)), [...likenessLines(found), random ? t("trust.figure.class_sensitivity.drawn") : null]));
  return explained(el("ul", { class: "trust-maps" }, judged(panel, [panel.target?.label ?? ""]), ...cards));
}
