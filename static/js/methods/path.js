// What the figures of the two path methods share: a chart of the score along the path, and the map accumulated so far.
// The map's sum follows the score: that is completeness.

import { setFactText, view } from "./parts.js";
import { Chart } from "../shared/chart.js";
import { number } from "../shared/format.js";
import { t } from "../shared/texts.js";

/**
 * @import { Axis, Line } from "../shared/chart.js"
 * @import { Strip } from "./assets.js"
 */

/**
 * Between the steps, and at both ends of the path (`edges`): the score, and the sum of the map so far; `clip` is the top of the map's colour scale.
 * @typedef {{ scores: number[], sums: number[], clip: number }} Path
 */

/**
 * The lines of the chart: the score along the path, and the score at its start plus the sum of the map so far.
 * @param {number[]} edges
 * @param {Path} path
 * @returns {Line[]}
 */
export const linesOf = (edges, { scores, sums }) => [
  { name: t("learn.read.path.score"), points: edges.map((edge, i) => [edge, scores[i]]), kind: "first" },
  { name: t("learn.read.path.sum"), points: edges.map((edge, i) => [edge, scores[0] + sums[i]]), kind: "dots second" },
];

/**
 * The chart of a path, in the figure's `data-chart`.
 * @param {HTMLElement} root
 * @param {Axis} x
 * @param {number[]} edges
 * @param {Path} path
 */
export const chartOf = (root, x, edges, path) =>
  new Chart(/** @type {HTMLElement} */ (root.querySelector("[data-chart]")), { x, y: { ticks: [-2, 0, 2, 4, 6, 8, 10] }, lines: linesOf(edges, path) });

/**
 * Draws the map accumulated up to the edge number `index`, which is that frame of `strip`, and marks that edge in the
 * chart; returns the numbers there.
 * @param {HTMLElement} root
 * @param {{ strip: Strip, chart: Chart, edges: number[], path: Path }} figure
 * @param {number} index
 */
export function showAccumulated(root, { strip, chart, edges, path }, index) {
  strip.draw(view(root, "map"), index);
  setFactText(root, "map", `≥ ${number(path.clip)}`); // at the end of the map's colour scale
  chart.mark(edges[index], [path.scores[index]]);
  const last = path.scores.length - 1;
  return {
    score: number(path.scores[index]),
    sum: number(path.sums[index]),
    change: number(path.scores[last] - path.scores[0]),
  };
}
