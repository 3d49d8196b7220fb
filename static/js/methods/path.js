// What the two path methods share: the score along the path, the map gathered so far, and that they agree.

import { tell, view } from "./parts.js";
import { Chart } from "../shared/chart.js";
import { number } from "../shared/format.js";
import { t } from "../shared/texts.js";

/**
 * @import { Axis, Line } from "../shared/chart.js"
 * @import { Strip } from "./assets.js"
 */

/** @typedef {{ scores: number[], sums: number[], clip: number }} Path */

/**
 * The lines of a path: its scores, and the score at its start plus what has been gathered.
 * @param {number[]} edges
 * @param {Path} path
 * @returns {Line[]}
 */
export const linesOf = (edges, { scores, sums }) => [
  { name: t("learn.read.path.score"), points: edges.map((edge, i) => [edge, scores[i]]), kind: "first" },
  { name: t("learn.read.path.sum"), points: edges.map((edge, i) => [edge, scores[0] + sums[i]]), kind: "dots second" },
];

/**
 * @param {HTMLElement} root
 * @param {Axis} x
 * @param {number[]} edges
 * @param {Path} path
 */
export const chartOf = (root, x, edges, path) =>
  new Chart(/** @type {HTMLElement} */ (root.querySelector("[data-chart]")), { x, y: { ticks: [-2, 0, 2, 4, 6, 8, 10] }, lines: linesOf(edges, path) });

/**
 * Draws the map at a place of the path and marks it; returns the numbers to be read there.
 * @param {HTMLElement} root
 * @param {{ strip: Strip, chart: Chart, edges: number[], path: Path }} figure
 * @param {number} place
 */
export function showGathered(root, { strip, chart, edges, path }, place) {
  strip.draw(view(root, "map"), place);
  tell(root, "map", `≥ ${number(path.clip)}`);
  chart.mark(edges[place], [path.scores[place]]);
  const last = path.scores.length - 1;
  return {
    score: number(path.scores[place]),
    sum: number(path.sums[place]),
    change: number(path.scores[last] - path.scores[0]),
  };
}
