// Lines over one axis: their names at their ends, an interval around each, a line that reads values.

import { svg } from "../shared/chart.js";
import { number } from "../shared/format.js";
import { t } from "../shared/texts.js";
import { drawn, plain } from "./indexed.js";
import { heightFor, isNarrow, keyOf, Plot, seriesClass, spread } from "./plot.js";
import { nearest, scaleOf } from "./scale.js";
import { LINE_PIXELS, linesOf, widthOf } from "./text-size.js";
import { axisTitle, seriesTitle } from "./words.js";

/**
 * @import { Drawing, Reading } from "./drawing.js"
 * @import { LinesData, Series, Value } from "./types.js"
 */

const WIDEST_LABEL = 132;
const MOST_LABELS = 6;
const FEW_POINTS = 3; // are to be found among many

/**
 * The class of a series by its place and its style.
 * @param {Series} series
 * @param {number} place
 */
const kindOf = ({ style }, place) => (style === "dashed" ? "theory" : `${seriesClass(place)}${style === "points" ? " points" : ""}`);

/**
 * @param {LinesData} data
 * @param {number} width
 * @returns {Drawing}
 */
export function drawLines(data, width) {
  const series = data.series.filter(({ x }) => x.length);
  const labels = labelsOf(series, width);
  const key = labels ? { nodes: [], height: 0 } : keyOf(named(series), width);
  const plot = new Plot({
    width, height: heightFor(width) + key.height, top: 12 + key.height, right: labels ? labels.width + 14 : 12,
    x: scaleOf(series.flatMap(({ x }) => x), { log: data.x.scale === "log", tight: true, rounds: true, count: Math.max(3, Math.floor(width / 90)) }),
    y: scaleOf(series.flatMap(({ y, low = [], high = [] }) => [...y, ...low, ...high]), { log: data.y.scale === "log", least: data.y.least }),
    xTitle: axisTitle(data.x), yTitle: axisTitle(data.y),
  });
  const cursor = svg("g", { class: "cursor" });
  const nodes = [
    ...key.nodes, ...plot.axes(), ...series.map((each, place) => bandOf(plot, each, kindOf(each, place))),
    ...series.map((each, place) => lineOf(plot, each, kindOf(each, place))), ...(labels ? endLabels(plot, series, labels) : []), cursor,
  ];
  return { root: plot.root(nodes), readings: [readingOf(plot, series, cursor, axisTitle(data.x))] };
}

/** @param {Series[]} series */
const named = (series) => series.map((each, place) => ({ title: seriesTitle(each), className: kindOf(each, place) }));

/**
 * The names as they stand at the ends of the lines; null where there is no room for them.
 * @param {Series[]} series
 * @param {number} width
 */
function labelsOf(series, width) {
  if (isNarrow(width) || series.length > MOST_LABELS || series.length < 2 || series.some(({ style }) => style === "points")) return null; // points have no end
  const lines = series.map((each) => linesOf(seriesTitle(each), 0.93 * WIDEST_LABEL));
  return { lines, width: Math.max(...lines.flat().map((line) => widthOf(plain(line), 600))) };
}

/**
 * @param {Plot} plot
 * @param {Series} series
 * @param {string} kind
 */
function lineOf(plot, { x, y }, kind) {
  if (kind.includes("points")) {
    return svg("g", { class: kind }, ...x.flatMap((value, index) => {
      const [left, top] = [plot.left(value), plot.at(y[index])];
      return left === null || top === null ? [] : [svg("circle", { cx: left.toFixed(1), cy: top.toFixed(1), r: x.length > FEW_POINTS ? 3 : 5, class: `dot ${kind}${x.length > FEW_POINTS ? "" : " few"}` })];
    }));
  }
  let open = false;
  const path = x.map((value, index) => {
    const [left, top] = [plot.left(value), plot.at(y[index])];
    if (left === null || top === null) {
      open = false;
      return "";
    }
    const command = `${open ? "L" : "M"}${left.toFixed(1)} ${top.toFixed(1)}${open ? "" : "h0.01"}`;
    open = true;
    return command;
  });
  return svg("path", { d: path.join(""), class: `line ${kind}` });
}

/**
 * The interval around a line.
 * @param {Plot} plot
 * @param {Series} series
 * @param {string} kind
 */
function bandOf(plot, { x, low = [], high = [] }, kind) {
  const upper = x.flatMap((value, index) => pointOf(plot, value, high[index]));
  const lower = x.flatMap((value, index) => pointOf(plot, value, low[index])).reverse();
  return svg("path", { d: upper.length > 1 && lower.length > 1 ? `M${[...upper, ...lower].join("L")}z` : "", class: `band ${kind}` });
}

/**
 * @param {Plot} plot
 * @param {Value} x
 * @param {Value | undefined} y
 */
function pointOf(plot, x, y) {
  const [left, top] = [plot.left(x), plot.at(y)];
  return left === null || top === null ? [] : [`${left.toFixed(1)} ${top.toFixed(1)}`];
}

/**
 * @param {Plot} plot
 * @param {Series[]} series
 * @param {{ lines: string[][] }} labels
 */
function endLabels(plot, series, { lines }) {
  const ends = series.map(({ y }) => y.toReversed().map(plot.at).find((top) => top !== null) ?? plot.bottom);
  const places = spread(ends.map((y, index) => ({ y, height: LINE_PIXELS * lines[index].length + 4 })), plot.margin.top - 12, plot.bottom + 4); // above the ticks
  return series.flatMap((each, place) => {
    const kind = kindOf(each, place);
    const first = places[place] - (LINE_PIXELS * (lines[place].length - 1)) / 2 + 4;
    return [
      ...(Math.abs(places[place] - ends[place]) > 3 ? [svg("line", { x1: plot.right + 1, x2: plot.right + 9, y1: ends[place].toFixed(1), y2: places[place].toFixed(1), class: `lead ${kind}` })] : []),
      ...lines[place].map((line, index) => svg("text", { x: plot.right + 12, y: (first + LINE_PIXELS * index).toFixed(1), class: `key-text ${kind}` }, ...drawn(line))),
    ];
  });
}

/**
 * What the pointer or the keyboard reads: the values of all lines at one x.
 * @param {Plot} plot
 * @param {Series[]} series
 * @param {Element} cursor
 * @param {string} title
 * @returns {Reading}
 */
function readingOf(plot, series, cursor, title) {
  const places = [...new Set(series.flatMap(({ x }) => x))].filter((x) => plot.left(x) !== null).sort((one, other) => Number(one) - Number(other));
  const byPlace = series.map(({ x, y, low = [], high = [] }) => new Map(x.map((value, index) => [value, { y: y[index], low: low[index], high: high[index] }])));
  return {
    title, count: places.length,
    at: (left) => nearest(places.map((x) => /** @type {number} */ (plot.left(x))), left),
    mark: (index) => {
      const left = plot.left(places[index]);
      const dots = byPlace.flatMap((values, place) => {
        const top = plot.at(values.get(places[index])?.y);
        return top === null ? [] : [svg("circle", { cx: left, cy: top, r: 4, class: `read ${kindOf(series[place], place)}` })];
      });
      cursor.replaceChildren(svg("line", { x1: left, x2: left, y1: plot.margin.top, y2: plot.bottom, class: "reading" }), ...dots);
    },
    text: (index) => ({
      place: `${title} ${number(Number(places[index]))}`,
      values: byPlace.flatMap((values, place) => {
        const found = values.get(places[index]) ?? levelAt(series[place], places[index]);
        return found ? [{ name: seriesTitle(series[place]), kind: kindOf(series[place], place), value: withInterval(found) }] : [];
      }),
    }),
  };
}

/**
 * The value of a line between two of its points, where it is level there; undefined elsewhere.
 * @param {Series} series
 * @param {Value} at
 */
function levelAt({ x, y, low = [], high = [] }, at) {
  const next = x.findIndex((value) => Number(value) > Number(at));
  if (next < 1 || y[next - 1] === null || y[next - 1] !== y[next]) return undefined;
  return { y: y[next], low: low[next - 1] === low[next] ? low[next] : undefined, high: high[next - 1] === high[next] ? high[next] : undefined };
}

/** @param {{ y: Value, low?: Value, high?: Value }} found */
function withInterval({ y, low, high }) {
  const value = y === null ? t("lab.page.missing") : number(y);
  return typeof low === "number" && typeof high === "number" ? t("lab.page.interval", { value, low: number(low), high: number(high) }) : value;
}
