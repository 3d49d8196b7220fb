// A surface as colours and lines of equal height, with paths on it; a press sets where they start.

import { svg } from "../shared/chart.js";
import { number } from "../shared/format.js";
import { t } from "../shared/texts.js";
import { colourScale, pictureOf } from "./colours.js";
import { strip } from "./heatmap.js";
import { isoline } from "./isolines.js";
import { isNarrow, keyOf, Plot, seriesClass } from "./plot.js";
import { linearScale } from "./scale.js";
import { widthOf } from "./text-size.js";
import { axisTitle, seriesTitle } from "./words.js";

/**
 * @import { Drawing } from "./drawing.js"
 * @import { ContourData, Series } from "./types.js"
 */

const LINES = 12;
const DECADES = 8; // of heights: at a lowest point the logarithm has no end

/**
 * @param {ContourData} data
 * @param {number} width
 * @returns {Drawing & { placeAt: (left: number, top: number) => [number, number] }}
 */
export function drawContour({ x, y, columns, rows, values, scale = "linear", paths }, width) {
  const colours = colourScale(values, { log: scale === "log", decades: DECADES });
  const key = keyOf(paths.map((each, place) => ({ title: seriesTitle(each), className: `${seriesClass(place)} path` })), width);
  const plot = new Plot({
    width, height: (isNarrow(width) ? 300 : 460) + key.height, top: 12 + key.height, right: 38 + Math.max(...colours.scale.ticks.map(({ text }) => widthOf(text)), 20),
    x: linearScale(columns[0], columns[columns.length - 1], { tight: true }), y: linearScale(rows[0], rows[rows.length - 1], { tight: true }),
    xTitle: axisTitle(x), yTitle: axisTitle(y),
  });
  const { left, top } = plot.margin;
  const cursor = svg("g", { class: "trails" });
  const clip = `clip-${crypto.randomUUID()}`;
  const picture = svg("image", { href: pictureOf(values.toReversed(), colours), x: left, y: top, width: plot.inner.width, height: plot.inner.height, preserveAspectRatio: "none", class: "surface" });
  const bounds = svg("clipPath", { id: clip }, svg("rect", { x: left, y: top, width: plot.inner.width, height: plot.inner.height }));
  const steps = Math.max(1, ...paths.map(({ x: places }) => places.length));
  const drawn = svg("g", { "clip-path": `url(#${clip})` }, ...heightLines(plot, { columns, rows, values, log: scale === "log" }), cursor);
  const readings = paths.length ? [{
    title: t("lab.page.step"), count: steps, steps: true, first: steps - 1, at: () => -1,
    mark: (/** @type {number} */ step) => cursor.replaceChildren(...paths.flatMap((each, place) => pathOf(plot, each, step, seriesClass(place)))),
    text: (/** @type {number} */ step) => ({ place: t("lab.page.step.of", { step, last: steps - 1 }), values: paths.map((each, place) => placeOf(each, place, step)) }),
  }] : [];
  return {
    root: plot.root([bounds, ...key.nodes, picture, drawn, ...plot.axes().filter((node) => !node.classList.contains("grid")), ...strip(plot, colours)]),
    readings,
    placeAt: (px, py) => [round(plot.x.from(share((px - left) / plot.inner.width))), round(plot.y.from(share(1 - (py - top) / plot.inner.height)))],
  };
}

/** @param {number} value */
const share = (value) => Math.min(1, Math.max(0, value));
/** @param {number} value */
const round = (value) => Number(value.toFixed(3));

/**
 * @param {Plot} plot
 * @param {{ columns: number[], rows: number[], values: (number | null)[][], log: boolean }} surface
 */
function heightLines(plot, { columns, rows, values, log }) {
  const { scale } = colourScale(values, { log, decades: DECADES });
  /** @type {(place: number, all: number[]) => number} */
  const between = (place, all) => {
    const from = Math.min(Math.floor(place), all.length - 2);
    return all[from] + (place - from) * (all[from + 1] - all[from]);
  };
  return Array.from({ length: LINES }, (_, index) => scale.from((index + 0.5) / LINES)).map((height) => {
    const path = isoline(values, height).map(([x1, y1, x2, y2]) => (
      `M${plot.left(between(x1, columns))?.toFixed(1)} ${plot.at(between(y1, rows))?.toFixed(1)}L${plot.left(between(x2, columns))?.toFixed(1)} ${plot.at(between(y2, rows))?.toFixed(1)}`));
    return svg("path", { d: path.join(""), class: "height" });
  });
}

/**
 * A path up to a step, with a mark at its start and at its end.
 * @param {Plot} plot
 * @param {Series} series
 * @param {number} step
 * @param {string} kind
 */
function pathOf(plot, { x, y }, step, kind) {
  const points = x.slice(0, step + 1).flatMap((value, index) => {
    const [left, top] = [plot.left(value), plot.at(y[index])];
    return left === null || top === null ? [] : [[left, top]];
  });
  if (!points.length) return [];
  const d = points.map(([left, top], index) => `${index ? "L" : "M"}${left.toFixed(1)} ${top.toFixed(1)}`).join("");
  const [start, end] = [points[0], points[points.length - 1]];
  return [
    svg("path", { d, class: "line under" }), svg("path", { d, class: `line path ${kind}` }),
    svg("rect", { x: start[0] - 4, y: start[1] - 4, width: 8, height: 8, class: "begin" }),
    svg("circle", { cx: end[0], cy: end[1], r: 5, class: `read ${kind}` }),
  ];
}

/**
 * @param {Series} series
 * @param {number} place
 * @param {number} step
 */
function placeOf(series, place, step) {
  const at = Math.min(step, series.x.length - 1);
  const [x, y] = [series.x[at], series.y[at]];
  return { name: seriesTitle(series), kind: seriesClass(place), value: x === null || y === null ? t("lab.page.missing") : `(${number(x)}, ${number(y)})` };
}
