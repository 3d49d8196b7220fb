// Infidelity: the share of the changes that the map leaves unexplained, beside its controls.

import { share as shareOf } from "../../../js/metrics/headline.js";
import { facts, numberText, similarity } from "../../../js/metrics/metric-text.js";
import { paragraph, reasonOf } from "../../../js/metrics/number-figure.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";

/** @param {any} value */
const share = (value) => shareOf(value).text;

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

/**
 * What the map leaves unexplained.
 * @param {any} measured
 */
export const headline = ({ figures }) => shareOf(figures.unexplained);
