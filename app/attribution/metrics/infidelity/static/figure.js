// Infidelity: the share of the changes that the map leaves unexplained, beside its controls.

import { facts, numberText, similarity } from "../../../js/metrics/metric-text.js";
import { paragraph, reasonOf } from "../../../js/metrics/number-figure.js";
import { el } from "../../../js/shared/dom.js";
import * as format from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";

/** @param {any} value */
const share = (value) => (Number.isFinite(value) ? format.percent(value) : "–");

/**
 * What the controls leave unexplained; nothing in figures that were kept before there were controls.
 * @param {Record<string, any>} figures
 * @returns {[string, string][]}
 */
function controls({ constant, gaussian, displaced, displaced_unexplained: elsewhere, displaced_p: p }) {
  if (!constant) return [];
  return [
    [t("trust.figure.infidelity.unexplained.constant"), share(constant.unexplained)],
    [t("trust.figure.infidelity.unexplained.gaussian"), share(gaussian.unexplained)],
    [t("trust.figure.infidelity.unexplained.displaced", { count: displaced.length }), share(elsewhere)],
    [t("trust.figure.infidelity.p"), numberText(p)],
  ];
}

/** @param {any} measured */
export function figure({ figures }) {
  const { infidelity, changes, unexplained, scale, correlation } = figures;
  return el("div", {}, facts([
    [t("trust.figure.infidelity.unexplained"), share(unexplained)],
    ...controls(figures),
    [t("trust.figure.infidelity.correlation"), similarity(correlation)],
    [t("trust.figure.infidelity.scale"), numberText(scale)],
    [t("trust.figure.infidelity.error"), numberText(infidelity)],
    [t("trust.figure.infidelity.changes"), numberText(changes)],
  ]), reasonOf(figures), paragraph(t("trust.figure.infidelity.means")));
}
