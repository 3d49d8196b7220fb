// Completeness: what was to be shared out, what the map sums to, and what helps.

import { share } from "../../../js/metrics/headline.js";
import { facts, numberText } from "../../../js/metrics/metric-text.js";
import { paragraph, reasonOf } from "../../../js/metrics/number-figure.js";
import { el } from "../../../js/shared/dom.js";
import * as format from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";
import { parameterTitle } from "../../../js/state/methods.js";

/**
 * What is known of more steps or samples; nothing in figures of earlier versions. `half_error` is the error with half of
 * the gradients; `most` says that the parameter is at its maximum already.
 * @param {Record<string, any>} figures
 */
function moreText({ remedy, half_error: half, standard_error: error }) {
  const { value, helps, most } = remedy;
  const parameter = parameterTitle(remedy.parameter);
  if (most) return t("trust.figure.completeness.remedy.most", { parameter, value });
  if (Number.isFinite(error)) return t("trust.figure.completeness.remedy.samples", { parameter, value, error: format.percent(error) });
  if (typeof helps !== "boolean") return t("trust.figure.completeness.remedy", { parameter, value });
  return t(`trust.figure.completeness.remedy.${helps ? "helps" : "no_help"}`, { parameter, value, half: format.percent(half) });
}

/** @param {Record<string, any>} figures */
function remedyText(figures) {
  const { remedy, complete } = figures;
  if (complete !== false) return null;
  if (!remedy) return t("trust.figure.completeness.remedy.none");
  const more = moreText(figures);
  return remedy.tolerance ? `${more} ${t("trust.figure.completeness.remedy.tolerance")}` : more;
}

/** @param {any} measured */
export function figure({ figures }) {
  const { expected, attributed, relative_error: error } = figures;
  const remedy = remedyText(figures);
  return el("div", {}, facts([
    [t("value.expected"), numberText(expected)],
    [t("value.attributed"), numberText(attributed)],
    [t("value.relative_error"), Number.isFinite(error) ? `${error < 0 ? "−" : "+"}${format.percent(error)}` : "–"],
  ]), reasonOf(figures), remedy ? paragraph(remedy) : null);
}

/**
 * How far the sum is off.
 * @param {any} measured
 */
export function headline({ figures: { relative_error: error } }) {
  return share(Number.isFinite(error) ? Math.abs(error) : null);
}
