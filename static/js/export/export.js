// The page's exports, one function each: request as code, PNG and SVG files. Fetched after the workbench
// (page/dialogs.js): import it dynamically.

import { store } from "../state/store.js";
import { figureCanvas } from "./figure-canvas.js";
import { figureSvg } from "./figure-svg.js";
import { figureOf } from "./figure.js";
import { gridFile, panelFile } from "./file-names.js";
import { enlarged, mapPicture } from "./map-image.js";
import { requestOf, sourceOf } from "./request.js";
import { pngOf, saveBlob } from "./save-file.js";
import { curlOf, pythonOf } from "./snippets.js";

/**
 * @import { Explanation } from "../api/types.js"
 * @import { Panel } from "../state/types.js"
 */

const SNIPPETS = { curl: curlOf, python: pythonOf };

/**
 * The request that computes this explanation again, as code.
 * @param {Explanation} record
 * @param {"curl" | "python"} language
 */
export function requestText(record, language) {
  const { models, methods } = store.state;
  return SNIPPETS[language](requestOf(record, { models, methods, source: sourceOf(store.state) }), location.origin);
}

/**
 * Saves one map as PNG, `zoom` times its size.
 * @param {Panel} panel
 * @param {number} zoom
 */
export async function savePanel(panel, zoom) {
  const drawn = await mapPicture(panel, store.state);
  if (!drawn) return;
  saveBlob(await pngOf(enlarged(drawn.canvas, zoom)), panelFile(panel, store.state, "png", zoom));
}

/**
 * Saves the whole grid as one PNG.
 * @param {Explanation} record
 * @param {number} [zoom]
 */
export async function saveGrid(record, zoom = 1) {
  const figure = await figureOf(record, store.state);
  saveBlob(await pngOf(figureCanvas(figure, zoom)), gridFile(store.state, "png", zoom));
}

/**
 * Saves the whole grid as one SVG.
 * @param {Explanation} record
 */
export async function saveGridSvg(record) {
  saveBlob(figureSvg(await figureOf(record, store.state)), gridFile(store.state, "svg"));
}
