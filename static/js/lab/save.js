// Figures as files: SVG and PNG with the colours that are on the screen, and their numbers as CSV.

import { pngOf, saveBlob } from "../export/save-file.js";
import { NS, svg } from "../shared/chart.js";
import { drawnGrids } from "./grids-drawing.js";
import { tableTexts } from "./table.js";
import { widthOf } from "./text-size.js";

/** @import { FigureBody, Series, Value } from "./types.js" */

const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "font-size", "font-weight", "font-family", "image-rendering"];
const SCALE = 2; // pixels of a PNG for one of the screen
const EDGE = 16;
const TITLE = 28;
const ROW = 20;

/**
 * A drawing that stands by itself: its styles within, its title above, the ground of the page behind.
 * @param {SVGSVGElement} drawing
 * @param {string} title
 * @param {Element} place - of the figure
 */
function alone(drawing, title, place) {
  const { width, height } = drawing.viewBox.baseVal;
  const copy = /** @type {SVGSVGElement} */ (drawing.cloneNode(true));
  const [shown, copied] = [drawing.querySelectorAll("*"), copy.querySelectorAll("*")];
  const marks = [...copied].filter((node) => node.classList.contains("cursor")); // of what was being read
  shown.forEach((node, index) => {
    const style = getComputedStyle(node);
    for (const name of STYLES) if (style.getPropertyValue(name)) copied[index].setAttribute(name, style.getPropertyValue(name));
    copied[index].removeAttribute("class");
  });
  for (const mark of marks) mark.remove();
  const page = getComputedStyle(document.body);
  const ground = getComputedStyle(place.closest("figure") ?? document.body).backgroundColor;
  const [wide, high] = [width + 2 * EDGE, height + TITLE + 2 * EDGE];
  copy.setAttribute("x", String(EDGE));
  copy.setAttribute("y", String(EDGE + TITLE));
  copy.removeAttribute("aria-hidden");
  return svg("svg", { xmlns: NS, width: wide, height: high, viewBox: `0 0 ${wide} ${high}` },
    svg("title", {}, title), svg("rect", { width: wide, height: high, fill: ground }),
    svg("text", { x: EDGE, y: EDGE + 14, fill: page.color, "font-family": page.fontFamily, "font-size": 15, "font-weight": 600 }, title), copy);
}

/**
 * Numbers in a grid as a drawing, for what is a table on the page.
 * @param {string[][]} rows
 */
function drawnTable(rows) {
  const widths = (rows[0] ?? []).map((_, column) => 16 + Math.max(...rows.map((row) => widthOf(row[column] ?? ""))));
  const ends = widths.map((_, column) => widths.slice(0, column + 1).reduce((sum, width) => sum + width, 0));
  const style = getComputedStyle(document.body);
  return svg("svg", { viewBox: `0 0 ${ends.at(-1) ?? 0} ${ROW * rows.length + 4}`, width: ends.at(-1) ?? 0, height: ROW * rows.length + 4 },
    ...rows.flatMap((row, y) => row.map((text, x) => svg("text", {
      x: ends[x] - 8, y: ROW * (y + 1) - 4, "text-anchor": "end", fill: style.color, "font-size": 12, "font-family": style.fontFamily,
    }, text))));
}

/**
 * @param {Element} place - of the figure
 * @param {FigureBody} body
 */
function drawingOf(place, body) {
  const drawing = place.querySelector("svg");
  if (drawing) return drawing;
  if (body.kind === "grids") return /** @type {SVGSVGElement} */ (drawnGrids(body.data));
  if (body.kind === "table") return /** @type {SVGSVGElement} */ (drawnTable(tableTexts(body.data)));
  return /** @type {SVGSVGElement} */ (drawnTable(rowsOf(body).map((row) => row.map((cell) => (cell === null ? "" : String(cell).replace("-", "−"))))));
}

/**
 * @param {Element} place
 * @param {FigureBody} body
 * @param {string} title
 */
export const svgText = (place, body, title) => new XMLSerializer().serializeToString(alone(drawingOf(place, body), title, place));

/** @param {string} text */
async function pngBlob(text) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [SCALE * image.naturalWidth, SCALE * image.naturalHeight];
    /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(image, 0, 0, canvas.width, canvas.height);
    return await pngOf(canvas);
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

/**
 * @param {"svg" | "png" | "csv"} kind
 * @param {Element} place
 * @param {FigureBody} body
 * @param {{ title: string, name: string }} names
 */
export async function saveFigure(kind, place, body, { title, name }) {
  const file = `${name}-${body.id}.${kind}`;
  if (kind === "csv") return saveBlob(new Blob([csvText(body)], { type: "text/csv" }), file);
  const text = svgText(place, body, title);
  return saveBlob(kind === "svg" ? new Blob([text], { type: "image/svg+xml" }) : await pngBlob(text), file);
}

/** @typedef {(string | number | null)[]} Row */

/** @param {FigureBody} body */
export const csvText = (body) => rowsOf(body).map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";

/** @param {string | number | null | undefined} value */
function field(value) {
  if (value === null || value === undefined) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * The numbers of a figure in rows, the first of which names the columns.
 * @param {FigureBody} body
 * @returns {Row[]}
 */
export function rowsOf({ kind, data }) {
  if (kind === "lines") return seriesRows(data.x.id, data.series);
  if (kind === "bars") return [["label", ...data.series.map(idOf)], ...data.labels.map((/** @type {string} */ label, /** @type {number} */ at) => [label, ...data.series.map((/** @type {Series} */ each) => each.y[each.x.indexOf(at)] ?? null)])];
  if (kind === "histogram") return [["from", "to", ...data.series.map(idOf)], ...data.edges.slice(1).map((/** @type {number} */ edge, /** @type {number} */ at) => [data.edges[at], edge, ...data.series.map((/** @type {Series} */ each) => each.y[at])])];
  if (kind === "heatmap") return gridRows(data);
  if (kind === "contour") return seriesRows(data.x.id, data.paths, data.y.id);
  if (kind === "matrix") return matrixRows(data);
  if (kind === "grids") return [["grid", "row", "column", "value"], ...data.groups.flatMap(gridsRows)];
  if (kind === "graph") return [["node", "value", "gradient", "inputs", "shares"], ...data.nodes.map((/** @type {any} */ node) => [node.title, node.value, node.gradient, (node.inputs ?? []).join(" "), (node.shares ?? []).join(" ")])];
  return [data.columns, ...data.rows];
}

/** @param {Series} series */
const idOf = ({ id }) => id;

/**
 * A row for each point of each series.
 * @param {string} x
 * @param {Series[]} series
 * @param {string} [y]
 * @returns {Row[]}
 */
function seriesRows(x, series, y = "value") {
  const bounded = series.some(({ low }) => low?.length);
  return [["series", x, y, ...(bounded ? ["low", "high"] : [])],
    ...series.flatMap((each) => each.x.map((value, at) => [each.id, value, each.y[at], ...(bounded ? [each.low?.[at] ?? null, each.high?.[at] ?? null] : [])]))];
}

/**
 * @param {{ y: { id: string }, x: { id: string }, columns: number[], rows: number[], names?: string[], values: Value[][] }} data
 * @returns {Row[]}
 */
const gridRows = ({ x, y, columns, rows, names = [], values }) => [[`${y.id}\\${x.id}`, ...columns], ...values.map((row, at) => [names[at] ?? rows[at], ...row])];

/**
 * @param {{ values: Value[][], rows?: string[], columns?: string[] }} data
 * @returns {Row[]}
 */
const matrixRows = ({ values, rows = [], columns = [] }) => [
  ...(columns.length ? [[...(rows.length ? [""] : []), ...columns]] : []), ...values.map((row, at) => [...(rows.length ? [rows[at]] : []), ...row]),
];

/**
 * @param {{ grids: { id: string, values: Value[][] }[] }} group
 * @returns {Row[]}
 */
const gridsRows = ({ grids }) => grids.flatMap(({ id, values }) => values.flatMap((row, y) => row.map((value, x) => [id, y, x, value])));
