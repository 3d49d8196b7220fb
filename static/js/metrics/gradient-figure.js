// The gradient check: slopes of the map against those that were measured.

import { Chart } from "../shared/chart.js";
import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { facts, ticksBetween } from "./metric-text.js";

/** @param {any} measured */
export function gradientFigure({ figures, parameters }) {
  const { slopes, expected, relative_error: error, passed } = figures;
  const all = [...slopes, ...expected];
  const across = ticksBetween(Math.min(...expected), Math.max(...expected));
  const up = ticksBetween(Math.min(...all), Math.max(...all));
  const place = el("div", { class: "chart" });
  // The line of those that agree, as far as it lies within both axes.
  const [low, high] = [Math.max(across[0], up[0]), Math.min(across[across.length - 1], up[up.length - 1])];
  new Chart(place, {
    x: { ticks: across, label: t("trust.gradient.expected") },
    y: { ticks: up, label: t("trust.gradient.slope") },
    lines: [
      { name: t("trust.gradient.direction"), kind: "dots", points: expected.map((/** @type {number} */ value, /** @type {number} */ place) => [value, slopes[place]]) },
      { name: t("trust.gradient.equal"), kind: "third", points: [[low, low], [high, high]] },
    ],
  });
  return el("div", { class: "trust-gradient" }, place, facts([
    [t("trust.gradient.error"), error === null ? "–" : format.percent(error)],
    [t("trust.gradient.tolerance"), format.percent(parameters.tolerance)],
    [t("trust.gradient.result"), t(passed ? "trust.gradient.passed" : "trust.gradient.failed")],
  ]));
}
