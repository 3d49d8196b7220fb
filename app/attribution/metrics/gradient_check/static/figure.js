// The gradient check: slopes of the map against those that were measured.

import { share } from "../../../js/metrics/headline.js";
import { facts, ticksBetween } from "../../../js/metrics/metric-text.js";
import { Chart } from "../../../js/shared/chart.js";
import { el } from "../../../js/shared/dom.js";
import * as format from "../../../js/shared/format.js";
import { labAddress } from "../../../js/shared/lab-link.js";
import { t } from "../../../js/shared/texts.js";
import { store } from "../../../js/state/store.js";

/**
 * @param {number} kinks
 * @param {number} directions
 * @returns {[string, string]}
 */
const kinkFact = (kinks, directions) => [t("trust.figure.gradient_check.kinks"), `${kinks} / ${directions}`];

/**
 * The lab's check with the same difference and step, of a function with a kink where the score has one.
 * @param {any} measured
 * @param {any} panel
 */
const labLink = ({ figures, parameters }, { model, method }) => labAddress(
  "gradient_check", { function: figures.kinks ? "relu" : "network", scheme: "central", step: parameters.step },
  { kind: "check", model, place: method, explanation: store.state.id ?? "", target: "", said: "function", changed: false },
);

/**
 * @param {any} measured
 * @param {any} panel
 */
export function figure({ figures, parameters }, panel) {
  const { slopes, expected, relative_error: error, passed, kinks } = figures;
  const all = [...slopes, ...expected];
  const across = ticksBetween(Math.min(...expected), Math.max(...expected));
  const up = ticksBetween(Math.min(...all), Math.max(...all));
  const container = el("div", { class: "chart" });
  // The diagonal, on which both slopes are equal, as far as it lies within both axes.
  const [low, high] = [Math.max(across[0], up[0]), Math.min(across[across.length - 1], up[up.length - 1])];
  new Chart(container, {
    x: { ticks: across, label: t("trust.figure.gradient_check.expected") },
    y: { ticks: up, label: t("trust.figure.gradient_check.slope") },
    lines: [
      { name: t("trust.figure.gradient_check.direction"), kind: "dots", points: expected.map((/** @type {number} */ value, /** @type {number} */ index) => [value, slopes[index]]) },
      { name: t("trust.figure.gradient_check.equal"), kind: "third", points: [[low, low], [high, high]] },
    ],
  });
  return el("div", { class: "trust-gradient" }, container, facts([
    [t("trust.figure.gradient_check.error"), error === null ? "–" : format.percent(error)],
    [t("trust.figure.gradient_check.tolerance"), format.percent(parameters.tolerance)],
    ...(kinks ? [kinkFact(kinks, slopes.length)] : []),
    [t("trust.figure.gradient_check.result"), t(passed ? "trust.figure.gradient_check.passed" : "trust.figure.gradient_check.failed")],
  ]), el("p", { class: "small" }, el("a", { href: labLink({ figures, parameters }, panel), target: "_blank", rel: "noopener" }, t("trust.figure.gradient_check.lab"))));
}

/**
 * How far the map is from the gradient.
 * @param {any} measured
 */
export const headline = ({ figures }) => share(figures.relative_error);
