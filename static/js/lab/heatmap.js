// A grid of numbers as colours, with their scale; read by pointer, or along both axes by keyboard.

import { svg } from "../shared/chart.js";
import { number } from "../shared/format.js";
import { t } from "../shared/texts.js";
import { colourScale, pictureOf, stripOf, valueAt } from "./colours.js";
import { isNarrow, Plot } from "./plot.js";
import { linearScale, nearest } from "./scale.js";
import { widthOf } from "./text-size.js";
import { axisTitle } from "./words.js";

/**
 * @import { Drawing } from "./drawing.js"
 * @import { Scale } from "./scale.js"
 * @import { HeatmapData } from "./types.js"
 */

const STRIP = 12;
const ROW_PIXELS = 15; // between two names of rows
const TALLEST = 620;

/**
 * A name as it stands beside its row; the end of a layer's name says more than its beginning.
 * @param {string} name
 * @param {number} width - of the figure
 */
function shortName(name, width) {
  const most = isNarrow(width) ? 14 : 26;
  return name.length > most ? `…${name.slice(1 - most)}` : name;
}

/**
 * The rows whose names are shown: as many as there is room for.
 * @param {string[]} names
 * @param {number[]} rows
 * @param {{ width: number, height: number }} size
 */
function nameTicks(names, rows, { width, height }) {
  const every = Math.ceil((names.length * ROW_PIXELS) / (height - 74));
  return names.flatMap((name, index) => (index % every ? [] : [{ value: rows[index], text: shortName(name, width) }]));
}

/**
 * The edges of cells whose centres are these.
 * @param {number[]} centres
 */
function bounds(centres) {
  const last = centres.length - 1;
  const first = last ? (centres[1] - centres[0]) / 2 : 0.5;
  const final = last ? (centres[last] - centres[last - 1]) / 2 : 0.5;
  return [centres[0] - first, centres[last] + final];
}

/**
 * @param {HeatmapData} data
 * @param {number} width
 * @returns {Drawing}
 */
export function drawHeatmap({ x, y, columns, rows, values, names = [], scale = "linear", signed = false }, width) {
  const colours = colourScale(values, { log: scale === "log", signed });
  const stripLabel = Math.max(...colours.scale.ticks.map(({ text }) => widthOf(text)), 20);
  const [left, right] = bounds(columns);
  const [top, bottom] = bounds(rows); // row 0 on top
  const least = isNarrow(width) ? 280 : 340;
  const height = names.length ? Math.min(TALLEST, Math.max(least, names.length * ROW_PIXELS + 74)) : least;
  const down = flipped(linearScale(Math.min(top, bottom), Math.max(top, bottom), { tight: true }), top < bottom);
  const plot = new Plot({
    width, height, right: STRIP + stripLabel + 26,
    x: linearScale(left, right, { tight: true, count: Math.max(3, Math.floor(width / 110)) }),
    y: names.length ? { ...down, ticks: nameTicks(names, rows, { width, height }) } : down,
    xTitle: axisTitle(x), yTitle: axisTitle(y),
  });
  const cursor = svg("g", { class: "cursor" });
  const picture = svg("image", {
    href: pictureOf(values, colours), x: plot.margin.left, y: plot.margin.top, width: plot.inner.width, height: plot.inner.height,
    preserveAspectRatio: "none", class: "pixels",
  });
  const frame = svg("rect", { x: plot.margin.left, y: plot.margin.top, width: plot.inner.width, height: plot.inner.height, class: "frame" });
  const cell = { width: plot.inner.width / columns.length, height: plot.inner.height / rows.length };
  /** @type {(index: number, all: number[]) => void} */
  const mark = (_, [column, row]) => cursor.replaceChildren(svg("rect", {
    x: plot.margin.left + column * cell.width, y: plot.margin.top + row * cell.height, width: cell.width, height: cell.height, class: "picked",
  }));
  /** @type {(index: number, all: number[]) => { place: string, values: import("./drawing.js").Read[] }} */
  const text = (_, [column, row]) => {
    const value = values[row]?.[column] ?? null;
    return { place: `${axisTitle(x)} ${number(columns[column])}, ${names[row] ?? `${axisTitle(y)} ${number(rows[row])}`}`, values: [{ name: "", kind: "", value: value === null ? t("lab.page.missing") : number(value) }] };
  };
  return {
    root: plot.root([picture, frame, ...plot.axes().filter((node) => !node.classList.contains("grid")), ...strip(plot, colours), cursor]),
    readings: [
      { title: axisTitle(x), count: columns.length, at: (px) => nearest(columns.map((_, index) => plot.margin.left + (index + 0.5) * cell.width), px), mark, text },
      { title: axisTitle(y), count: rows.length, at: (_, py) => nearest(rows.map((_, index) => plot.margin.top + (index + 0.5) * cell.height), py), mark, text },
    ],
  };
}

/**
 * The scale turned round where its first value is to be on top.
 * @param {Scale} scale
 * @param {boolean} turned
 * @returns {Scale}
 */
function flipped(scale, turned) {
  if (!turned) return scale;
  return { ...scale, at: (value) => {
    const share = scale.at(value);
    return share === null ? null : 1 - share;
  }, from: (share) => scale.from(1 - share) };
}

/**
 * The scale of the colours beside a plot.
 * @param {Plot} plot
 * @param {ReturnType<typeof colourScale>} colours
 */
export function strip(plot, colours) {
  const x = plot.right + 14;
  const { ticks, low, high } = colours.scale;
  const shown = ticks.length ? ticks : [low, high].map((value) => ({ value, text: valueAt(value) }));
  return [
    svg("image", { href: stripOf(colours), x, y: plot.margin.top, width: STRIP, height: plot.inner.height, preserveAspectRatio: "none" }),
    ...shown.map(({ value, text }) => svg("text", {
      x: x + STRIP + 6, y: plot.margin.top + plot.inner.height * (1 - Number(colours.scale.at(value))) + 4, class: "tick",
    }, text)),
  ];
}
