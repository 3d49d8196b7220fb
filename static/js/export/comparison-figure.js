// A comparison as a figure: the picture, both maps and their difference in a row, with the sentence on how far they agree.

import { addressOf } from "../controller/controller.js";
import { contextOf } from "../shared/dom.js";
import { loadImage } from "../shared/load-image.js";
import { t } from "../shared/texts.js";
import { inputOf } from "../state/models.js";
import { store } from "../state/store.js";
import { fragmentOf } from "../url-state/address.js";
import { figureCanvas } from "./figure-canvas.js";
import { figureSvg } from "./figure-svg.js";
import { drawScale, renderingText } from "./figure.js";
import { gridFile } from "./file-names.js";
import { canvasOf, mapPicture } from "./map-image.js";
import { Column, MUTED } from "./marks.js";
import { pngOf, saveBlob } from "./save-file.js";

/**
 * @import { Settings } from "../rendering/types.js"
 * @import { Panel } from "../state/types.js"
 * @import { Figure } from "./marks.js"
 */

/**
 * The two sides with their titles. `own` is how the difference is rendered; `says` is the sentence on how far they agree.
 * @typedef {{ panels: Panel[], titles: string[], difference: Panel | null, own: Settings | null, says: string }} Compared
 */

/** @typedef {{ title: string, panel: Panel, rendering: Settings }} Part A panel of the figure, as it is rendered. */

const MARGIN = 24;
const GAP = 20;
const CELL = 224;
const ZOOM = 2; // of the PNG

/**
 * What a panel's model saw.
 * @param {Panel} panel
 */
async function seenBy(panel) {
  const { url, size: [height, width] } = inputOf(panel) ?? { url: "", size: [1, 1] };
  const canvas = canvasOf(width, height);
  if (url) contextOf(canvas).drawImage(await loadImage(url), 0, 0, width, height);
  return canvas;
}

/** @param {Compared} compared @returns {Part[]} */
function partsOf({ panels, titles, difference, own }) {
  const { rendering } = store.state;
  const [map] = panels.filter(({ picture }) => !picture);
  const two = panels.map((panel, index) => ({ title: `${"AB"[index]}: ${titles[index]}`, panel, rendering }));
  if (!difference || !own) return two;
  return [{ title: t("compare.picture"), panel: { ...map, picture: true }, rendering }, ...two, { title: t("compare.difference"), panel: difference, rendering: own }];
}

/**
 * @param {Column} column
 * @param {Part} part
 */
async function drawPart(column, { panel, title, rendering }) {
  /** @type {(canvas: HTMLCanvasElement, smooth: boolean) => void} */
  const put = (canvas, smooth) => { column.image(canvas, Math.round((column.width * canvas.height) / canvas.width), { smooth, title }); };
  if (panel.picture) return put(await seenBy(panel), true);
  const drawn = await mapPicture(panel, { ...store.state, rendering });
  if (!drawn) return undefined;
  put(drawn.canvas, false);
  return drawScale(column, drawn.scale);
}

/** @param {Compared} compared @returns {Promise<Figure>} */
async function figureOf(compared) {
  const { state } = store;
  const parts = partsOf(compared);
  const columns = parts.map((_, index) => new Column(MARGIN + index * (CELL + GAP), MARGIN, CELL));
  parts.forEach(({ title }, index) => columns[index].text(title, { size: 13, weight: 600 }).space(6));
  const top = Math.max(...columns.map(({ y }) => y));
  for (const [index, part] of parts.entries()) {
    columns[index].y = top;
    await drawPart(columns[index], part);
  }
  const width = 2 * MARGIN + parts.length * CELL + (parts.length - 1) * GAP;
  const caption = new Column(MARGIN, Math.max(...columns.map(({ y }) => y)) + 12, width - 2 * MARGIN);
  caption.text(compared.says, { size: 14 }).space(4);
  caption.text(renderingText(state), { colour: MUTED });
  caption.text(decodeURI(addressOf(state.id)) + fragmentOf(state), { colour: MUTED });
  return {
    width, height: Math.ceil(caption.y + MARGIN), marks: [...columns, caption].flatMap(({ marks }) => marks),
    title: t("compare.title"), description: compared.titles.join(" – "),
  };
}

/**
 * Saves a comparison; gives the file's name.
 * @param {"png" | "svg"} kind
 * @param {Compared} compared
 */
export async function saveComparison(kind, compared) {
  const figure = await figureOf(compared);
  const name = gridFile(store.state, kind).replace(/\.(?=[a-z]+$)/, "-comparison.");
  saveBlob(kind === "svg" ? figureSvg(figure) : await pngOf(figureCanvas(figure, ZOOM)), name);
  return name;
}
