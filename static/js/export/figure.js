// The grid as a figure for a paper: at the top the picture and the question, below each map with its scale, diagnostics
// and parameters. A figure is a list of marks (texts, images, frames); figure-canvas.js and figure-svg.js draw them.

import { addressOf } from "../controller/controller.js";
import { nameOf } from "../history/entry.js";
import { drawStrip } from "../rendering/palettes.js";
import { paletteOf } from "../rendering/settings.js";
import { contextOf } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { loadImage } from "../shared/load-image.js";
import { factsOf, settingText } from "../shared/panel-facts.js";
import { t } from "../shared/texts.js";
import { briefText } from "../shared/verdict.js";
import { methodOf, methodTitle, parameterTitle } from "../state/methods.js";
import { className, modelTitle } from "../state/models.js";
import { rowId, rowKey } from "../state/rows.js";
import { fragmentOf } from "../url-state/address.js";
import { isPlain, topText } from "../widgets/scale-bar.js";
import { canvasOf, mapPicture } from "./map-image.js";
import { Column, MUTED, widthOf } from "./marks.js";
import { optionsOf } from "./request.js";

/**
 * @import { Explanation, InputBody, PanelBody } from "../api/types.js"
 * @import { DrawnScale, Scale } from "../rendering/types.js"
 * @import { Options, Panel, State } from "../state/types.js"
 * @import { Figure, TextMark } from "./marks.js"
 */

const MARGIN = 24;
const GAP = 20;
const CELL = 224; // width of a column
const ACROSS = 6; // panels in a line
const PICTURE_PIXELS = 2 * CELL; // longer side of the picture's copy

/** @type {<T>(values: T[]) => T[]} */
const unique = (values) => [...new Set(values)];

/**
 * The panels by row: one row for each pair of model and class; if there is only one pair, lines of six.
 * @param {Panel[]} panels
 */
function rowsOf(panels) {
  /** @param {Panel} panel */
  const idOf = ({ model, target }) => rowId(rowKey(model, target));
  const ids = unique(panels.map(idOf));
  if (ids.length > 1) return ids.map((id) => panels.filter((panel) => idOf(panel) === id));
  return Array.from({ length: Math.ceil(panels.length / ACROSS) }, (_, row) => panels.slice(row * ACROSS, (row + 1) * ACROSS));
}

/**
 * The question as a sentence: why these classes, or why not another one.
 * @param {(Panel | PanelBody)[]} panels
 */
export function questionOf(panels) {
  const labels = unique(panels.flatMap(({ target }) => (target ? className(target) : [])));
  const against = panels.find((panel) => panel.against)?.against;
  const label = new Intl.ListFormat(document.documentElement.lang || undefined).format(labels);
  if (!label) return t("grid.top");
  return t(against ? "grid.whyNot" : "grid.why", { label, against: against && className(against) });
}

/**
 * How the maps are rendered: palette, channels, clipping, overlay.
 * @param {State} state
 */
export function renderingText({ rendering, palettes }) {
  return t(rendering.overlay < 100 ? "figure.reading.over" : "figure.reading", {
    palette: palettes?.[paletteOf(rendering)].title,
    channels: t(`reading.${rendering.reduction}.long`).toLowerCase(),
    clip: rendering.percentile,
    overlay: rendering.overlay,
  });
}

/**
 * A model's three most probable classes.
 * @param {InputBody} input
 */
function predictionText({ model, predictions }) {
  const classes = predictions.slice(0, 3).map((found) => `${className(found)} ${format.probability(found.probability)}`).join(" · "); // labels have commas
  return t("figure.predictions", { model: modelTitle(model), classes });
}

/**
 * Draws the picture, with a frame around the part that the first model saw. With padding the frame reaches beyond the picture.
 * @param {Column} column
 * @param {Explanation} record
 * @param {State} state
 */
async function drawPicture(column, record, { picture, inputs }) {
  const { width, height } = record.image;
  const crop = inputs.values().next().value?.crop ?? [0, 0, width, height];
  const [left, top] = [Math.min(0, crop[0]), Math.min(0, crop[1])];
  const [wide, high] = [Math.max(width, crop[2]) - left, Math.max(height, crop[3]) - top];
  const scale = column.width / Math.max(wide, high);
  const shrink = Math.min(1, PICTURE_PIXELS / Math.max(width, height));
  const copy = canvasOf(Math.round(width * shrink), Math.round(height * shrink));
  const context = contextOf(copy);
  context.imageSmoothingQuality = "high";
  context.drawImage(await loadImage(picture?.url ?? ""), 0, 0, copy.width, copy.height);
  /** @type {(x: number, y: number) => { x: number, y: number }} */
  const toFigure = (x, y) => ({ x: column.x + (x - left) * scale, y: column.y + (y - top) * scale });
  /** @type {(corners: number[]) => { x: number, y: number, width: number, height: number }} */
  const box = ([x0, y0, x1, y1]) => ({ ...toFigure(x0, y0), width: (x1 - x0) * scale, height: (y1 - y0) * scale });
  column.marks.push(
    { kind: "image", canvas: copy, ...box([0, 0, width, height]), smooth: true, title: t("picture.alt") },
    { kind: "frame", ...box(crop), colour: "#000", line: 3 },
    { kind: "frame", ...box(crop), colour: "#fff", line: 1.5 },
  );
  column.y += high * scale;
}

/**
 * Writes what is said beside the picture: question, predictions, settings, versions, address.
 * @param {Column} column
 * @param {Explanation} record
 * @param {State} state
 */
function writeCaption(column, record, state) {
  const { image, inputs, score, seed, versions, id } = record;
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");
  column.text(questionOf(record.panels), { size: 20, weight: 600 }).space(6);
  column.text(t("figure.picture", { name: nameOf({ name: state.picture?.name ?? null, label: null }), width: image.width, height: image.height }));
  for (const input of inputs) column.text(predictionText(input));
  column.text(t("figure.asked", { score: t(`ask.score.${score}`).toLowerCase(), seed }), { colour: MUTED, gap: 6 });
  column.text(renderingText(state), { colour: MUTED });
  column.text(t("figure.made", { software, date: new Date().toISOString().slice(0, 10) }), { colour: MUTED });
  column.text(decodeURI(addressOf(id)) + fragmentOf(state), { colour: MUTED });
}

/**
 * The three texts below a colour scale: low end, middle, high end.
 * @param {Scale} scale
 */
export function tickTexts(scale) {
  return [
    (scale.clipsLow ? "≤ " : "") + format.number(scale.low),
    scale.symmetric && scale.high > 0 ? "0" : "",
    (scale.clipsHigh ? "≥ " : "") + format.number(scale.high),
  ];
}

/**
 * Draws the colour scale with its texts.
 * @param {Column} column
 * @param {DrawnScale} scale
 */
export function drawScale(column, scale) {
  column.space(8);
  if (isPlain(scale)) return column.text(topText(scale), { size: 11, colour: MUTED });
  const strip = canvasOf(256, 1);
  drawStrip(strip, scale.colours);
  column.image(strip, 6, { smooth: true });
  /** @type {[number, TextMark["anchor"]][]} */
  const places = [[column.x, "start"], [column.x + column.width / 2, "middle"], [column.x + column.width, "end"]];
  tickTexts(scale).forEach((text, index) => {
    const [x, anchor] = places[index];
    if (text) column.marks.push({ kind: "text", text, x, y: column.y + 14, size: 11, weight: 400, colour: MUTED, anchor });
  });
  return column.space(20);
}

const SHORT = 28; // characters that are kept on one line

/**
 * A short text is not broken at its spaces: «error ≈ 7.6 %».
 * @param {string} text
 */
const whole = (text) => (text.length > SHORT ? text : text.replaceAll(" ", "\u00a0"));

/**
 * A method's parameters and their values.
 * @param {Record<string, any>} options
 */
const optionText = (options) => Object.entries(options).map(([name, value]) => `${parameterTitle(name)} ${settingText(value)}`).join(", ");

/**
 * Writes a panel's title: the method, its year if there is room, model and class.
 * @param {Column} column
 * @param {Panel} panel
 */
function writeTitle(column, { method, model, target }) {
  const title = methodTitle(method);
  const year = String(methodOf(method)?.year ?? "");
  column.text(title, { size: 13, weight: 600 });
  const lastLine = /** @type {TextMark} */ (column.marks.at(-1));
  const yearX = lastLine.x + widthOf(lastLine.text, 13, 600) + 5;
  if (yearX + widthOf(year, 13) <= column.x + column.width) column.marks.push({ ...lastLine, text: year, x: yearX, weight: 400, colour: MUTED });
  column.text([modelTitle(model), target && className(target)].filter(Boolean).join(" · "), { size: 11, colour: MUTED }).space(6);
}

/**
 * Draws a panel that has no map: an empty frame with the reason in it.
 * @param {Column} column
 * @param {Panel} panel
 */
function drawRefusal(column, { status, problem }) {
  column.marks.push({ kind: "frame", x: column.x + 0.5, y: column.y + 0.5, width: column.width - 1, height: column.width - 1, colour: "#d8d8d6", line: 1 });
  const reason = new Column(column.x + 12, column.y + 12, column.width - 24);
  reason.text(t(`panel.${status}`), { weight: 600 }).text(problem?.detail ?? "", { size: 11, colour: MUTED });
  column.marks.push(...reason.marks);
  column.space(Math.max(column.width, reason.y - column.y));
}

/**
 * Draws a map, and below it its scale, diagnostics and parameters.
 * @param {Column} column
 * @param {Panel} panel
 * @param {Record<string, any>} options
 * @param {State} state
 */
async function drawMap(column, panel, options, state) {
  const { method, target, record } = panel;
  const drawn = await mapPicture(panel, state);
  if (!drawn) return drawRefusal(column, panel);
  const { canvas, scale } = drawn;
  column.image(canvas, Math.round((column.width * canvas.height) / canvas.width), { title: t("panel.mapFor", { method: methodTitle(method), label: target ? className(target) : "" }) });
  drawScale(column, scale);
  const facts = record ? factsOf(record) : [];
  column.text(facts.map(({ text }) => whole(text)).join(" · "), { size: 11, colour: MUTED });
  const brief = briefText(record?.metrics);
  if (brief) column.text(t("figure.trust", { brief }), { size: 11 });
  return column.text(optionText(options), { size: 11, colour: MUTED });
}

/**
 * Draws one row of panels. All maps begin at the same height, however long their titles are.
 * @param {Panel[]} panels
 * @param {number} top
 * @param {Options} options
 * @param {State} state
 */
async function drawRow(panels, top, options, state) {
  const columns = panels.map((_, index) => new Column(MARGIN + index * (CELL + GAP), top, CELL));
  const bottom = () => Math.max(...columns.map(({ y }) => y));
  panels.forEach((panel, index) => writeTitle(columns[index], panel));
  const mapTop = bottom();
  for (const [index, panel] of panels.entries()) {
    columns[index].y = mapTop;
    await drawMap(columns[index], panel, options[panel.method] ?? {}, state);
  }
  return { marks: columns.flatMap(({ marks }) => marks), bottom: bottom() };
}

/**
 * The figure {width, height, marks, title, description} of the panels on the page, as they are rendered now.
 * @param {Explanation} record
 * @param {State} state
 * @returns {Promise<Figure>}
 */
export async function figureOf(record, state) {
  const rows = rowsOf(state.panels);
  const across = Math.max(...rows.map((row) => row.length));
  const width = Math.max(2 * MARGIN + across * CELL + (across - 1) * GAP, 2 * MARGIN + 3 * CELL);
  const options = optionsOf(record, state.methods ?? []);
  const picture = new Column(MARGIN, MARGIN, CELL);
  await drawPicture(picture, record, state);
  const caption = new Column(MARGIN + CELL + GAP, MARGIN, width - 2 * MARGIN - CELL - GAP);
  writeCaption(caption, record, state);
  const marks = [...picture.marks, ...caption.marks];
  let y = Math.max(picture.y, caption.y) + 28;
  for (const row of rows) {
    const drawn = await drawRow(row, y, options, state);
    marks.push(...drawn.marks);
    y = drawn.bottom + GAP;
  }
  return { width, height: Math.ceil(y - GAP + MARGIN), marks, title: questionOf(record.panels), description: t("figure.description", { count: state.panels.length, software: `gradoscope ${record.versions.gradoscope}` }) };
}
