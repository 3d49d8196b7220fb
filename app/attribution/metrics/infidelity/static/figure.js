// Infidelity: the error of the forecast, and its share.

import { facts, score } from "../../../js/metrics/metric-text.js";
import { paragraph, reasonOf } from "../../../js/metrics/number-figure.js";
import { el } from "../../../js/shared/dom.js";
import * as format from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";

/** @param {any} measured */
export function figure({ figures }) {
  const { infidelity, changes, unexplained } = figures;
  return el("div", {}, facts([
    [t("trust.figure.infidelity.error"), score(infidelity)],
    [t("trust.figure.infidelity.changes"), score(changes)],
    [t("trust.figure.infidelity.unexplained"), Number.isFinite(unexplained) ? format.percent(unexplained) : "–"],
  ]), reasonOf(figures), paragraph(t("trust.figure.infidelity.means")));
}
