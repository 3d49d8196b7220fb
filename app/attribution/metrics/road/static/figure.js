// ROAD: the probability while pixels are removed, in three orders.

import { plain } from "../../../js/metrics/headline.js";
import { facts, numberText } from "../../../js/metrics/metric-text.js";
import { Chart } from "../../../js/shared/chart.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";

/** @type {Record<string, string>} */
const KINDS = { most: "first strong", least: "second", random: "third" };

/** @param {any} measured */
export function figure({ figures }) {
  const place = el("div", { class: "chart" });
  const lines = Object.entries(KINDS).map(([order, kind]) => ({
    name: t(`trust.figure.road.${order}`), kind,
    points: [[0, figures.whole], ...figures.fractions.map((/** @type {number} */ share, /** @type {number} */ index) => [100 * share, figures[order][index]])],
  }));
  new Chart(place, {
    x: { ticks: [0, 25, 50, 75, 100], label: t("trust.figure.road.share") },
    y: { ticks: [0, 0.25, 0.5, 0.75, 1] },
    lines,
  });
  return el("div", {}, place, facts([
    [t("trust.figure.road.gap"), numberText(figures.gap)],
    [t("trust.figure.road.whole"), numberText(figures.whole)],
  ]));
}

/**
 * The gap between the two orders.
 * @param {any} measured
 */
export const headline = ({ figures }) => plain(figures.gap);
