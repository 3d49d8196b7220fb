// Bars side by side, and histograms.

import { svg } from "../shared/chart.js";
import { number } from "../shared/format.js";
import { t } from "../shared/texts.js";
import { heightFor, keyOf, Plot, seriesClass, slantOf } from "./plot.js";
import { extent, linearScale, nearest, scaleOf } from "./scale.js";
import { axisTitle, labelText, seriesTitle } from "./words.js";

/**
 * @import { Drawing } from "./drawing.js"
 * @import { BarsData, HistogramData, Series, Value } from "./types.js"
 */

const AXIS = 60; // pixels beside the bars, about

/**
 * @param {Series} series
 * @param {number} place
 */
const kindOf = ({ style }, place) => (style === "dashed" ? "theory" : `${seriesClass(place)} bar`);

/**
 * @param {Series[]} series
 * @param {number} width
 */
const legend = (series, width) => keyOf(series.length > 1 ? series.map((each, place) => ({ title: seriesTitle(each), className: kindOf(each, place) })) : [], width);

/**
 * The axis of heights: from zero on, or from below the lowest, which else would have none.
 * @param {Value[]} values
 * @param {boolean} log
 */
function heightScale(values, log) {
  const [low] = extent(values, log) ?? [1];
  return scaleOf(log ? [...values, low / 2] : values, { log, tight: log, zero: !log });
}

/**
 * @param {BarsData} data
 * @param {number} width
 * @returns {Drawing}
 */
export function drawBars({ labels, x, y, series }, width) {
  const key = legend(series, width);
  const texts = labels.map(labelText);
  const slant = slantOf(texts, width - AXIS);
  const plot = new Plot({
    width, height: heightFor(width) + key.height + slant, top: 12 + key.height, slant,
    x: linearScale(-0.5, labels.length - 0.5, { tight: true }),
    y: heightScale(series.flatMap(({ y: values, low = [], high = [] }) => [...values, ...low, ...high]), y.scale === "log"),
    xTitle: x ? axisTitle(x) : "", yTitle: axisTitle(y),
  });
  const group = 0.78; // of the distance between two labels
  const bars = series.filter(({ style }) => style !== "dashed");
  const cursor = svg("g", { class: "cursor" });
  const nodes = series.flatMap((each, place) => {
    if (each.style === "dashed") return [theoryLine(plot, each)];
    const slot = group / bars.length;
    const from = (/** @type {Value} */ x) => Number(x) - group / 2 + bars.indexOf(each) * slot;
    return each.x.flatMap((x, index) => barOf(plot, from(x), from(x) + slot * 0.92, each.y[index], kindOf(each, place)));
  });
  const ticks = texts.map((text, value) => ({ value, text }));
  return {
    root: plot.root([...key.nodes, ...plot.axes(ticks), ...nodes, cursor]),
    readings: [{
      title: axisTitle(y), count: labels.length, at: (left) => nearest(labels.map((_, index) => /** @type {number} */ (plot.left(index))), left),
      mark: (index) => markColumn(plot, cursor, index - 0.5, index + 0.5),
      text: (index) => ({ place: texts[index], values: valuesAt(series, (each) => each.y[each.x.indexOf(index)]) }),
    }],
  };
}

/**
 * @param {HistogramData} data
 * @param {number} width
 * @returns {Drawing}
 */
export function drawHistogram({ x, edges, y, series }, width) {
  const lines = series.length > 1;
  const kind = (/** @type {Series} */ each, /** @type {number} */ place) => (lines ? kindOf(each, place).replace(" bar", "") : kindOf(each, place));
  const key = keyOf(lines ? series.map((each, place) => ({ title: seriesTitle(each), className: kind(each, place) })) : [], width);
  const log = x.scale === "log";
  const plot = new Plot({
    width, height: heightFor(width) + key.height, top: 12 + key.height,
    x: scaleOf(edges, { log, tight: true, count: Math.max(3, Math.floor(width / 90)) }), y: heightScale(series.flatMap(({ y: counts }) => counts), y?.scale === "log"),
    xTitle: axisTitle(x), yTitle: y ? axisTitle(y) : t("lab.page.count"),
  });
  const cursor = svg("g", { class: "cursor" });
  const nodes = series.flatMap((each, place) => (lines
    ? [outline(plot, edges, each.y, kind(each, place))]
    : each.y.flatMap((value, index) => barOf(plot, edges[index], edges[index + 1], value, kind(each, place)))));
  const centres = edges.slice(1).map((edge, index) => (/** @type {number} */ (plot.left(edges[index])) + /** @type {number} */ (plot.left(edge))) / 2);
  return {
    root: plot.root([...key.nodes, ...plot.axes(), ...nodes, cursor]),
    readings: [{
      title: axisTitle(x), count: centres.length, at: (left) => nearest(centres, left),
      mark: (index) => markColumn(plot, cursor, edges[index], edges[index + 1]),
      text: (index) => ({ place: `${number(edges[index])} – ${number(edges[index + 1])}`, values: valuesAt(series, (each) => each.y[index]) }),
    }],
  };
}

/**
 * @param {Series[]} series
 * @param {(series: Series) => Value | undefined} valueOf
 */
const valuesAt = (series, valueOf) => series.flatMap((each, place) => {
  const value = valueOf(each);
  return value === undefined ? [] : [{ name: seriesTitle(each), kind: kindOf(each, place), value: value === null ? t("lab.page.missing") : number(value) }];
});

/**
 * @param {Plot} plot
 * @param {number} from
 * @param {number} to
 * @param {Value | undefined} value
 * @param {string} kind
 */
function barOf(plot, from, to, value, kind) {
  const [left, right, top] = [plot.left(from), plot.left(to), plot.at(value)];
  const base = plot.y.log ? plot.bottom : plot.at(0);
  if (left === null || right === null || top === null || base === null) return [];
  return [svg("rect", { x: left.toFixed(2), width: Math.max(0.5, right - left).toFixed(2), y: Math.min(top, base).toFixed(2), height: Math.abs(base - top).toFixed(2), class: kind })];
}

/**
 * What a theory says, as a line over the bars.
 * @param {Plot} plot
 * @param {Series} series
 */
function theoryLine(plot, { x, y }) {
  const points = x.flatMap((value, index) => {
    const [left, top] = [plot.left(value), plot.at(y[index])];
    return left === null || top === null ? [] : [`${left.toFixed(1)} ${top.toFixed(1)}`];
  });
  return svg("path", { d: points.length ? `M${points.join("L")}` : "", class: "line theory" });
}

/**
 * A histogram as its outline, where several share a plot.
 * @param {Plot} plot
 * @param {number[]} edges
 * @param {Value[]} values
 * @param {string} kind
 */
function outline(plot, edges, values, kind) {
  const points = values.flatMap((value, index) => {
    const top = plot.at(value) ?? plot.bottom;
    return [`${plot.left(edges[index])?.toFixed(1)} ${top.toFixed(1)}`, `${plot.left(edges[index + 1])?.toFixed(1)} ${top.toFixed(1)}`];
  });
  return svg("path", { d: `M${points.join("L")}`, class: `line ${kind}` });
}

/**
 * @param {Plot} plot
 * @param {Element} cursor
 * @param {number} from
 * @param {number} to
 */
function markColumn(plot, cursor, from, to) {
  const [left, right] = [plot.left(from) ?? 0, plot.left(to) ?? 0];
  cursor.replaceChildren(svg("rect", { x: left, width: right - left, y: plot.margin.top, height: plot.inner.height, class: "column" }));
}
