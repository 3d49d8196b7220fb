// The share of the map within the region, beside the region's share of the picture.

import { plain } from "../../../js/metrics/headline.js";
import { facts } from "../../../js/metrics/metric-text.js";
import { paragraph, reasonOf } from "../../../js/metrics/number-figure.js";
import { el } from "../../../js/shared/dom.js";
import * as format from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";

/** @param {number | null} share */
const percent = (share) => (share === null ? "–" : format.percent(share));

/** @param {any} measured */
export function figure({ figures }) {
  return el("div", {}, facts([
    [t("trust.figure.relevance_mass.share"), percent(figures.mass)],
    [t("trust.figure.relevance_mass.area"), percent(figures.area)],
  ]), reasonOf(figures), paragraph(t("trust.figure.relevance_mass.means")));
}

/**
 * The share within the region.
 * @param {any} measured
 */
export const headline = ({ figures }) => plain(figures.mass);
