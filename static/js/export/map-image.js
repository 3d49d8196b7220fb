// One map as it is rendered now, over what the model saw. On the page these are layers; here they become one canvas.

import { opacityOf } from "../rendering/colour.js";
import * as drawing from "../rendering/draw.js";
import { contextOf, el } from "../shared/dom.js";
import { loadImage } from "../shared/load-image.js";

/** @import { Panel, State } from "../state/types.js" */

/**
 * @param {number} width
 * @param {number} height
 */
export function canvasOf(width, height) {
  const canvas = el("canvas");
  Object.assign(canvas, { width, height });
  return canvas;
}

/**
 * {canvas, scale}: one pixel for each value; null where there is no map.
 * @param {Panel} panel
 * @param {State} state
 */
export async function mapPicture(panel, state) {
  const map = el("canvas");
  // A scale that panels share ends at the largest of their clips.
  const scale = drawing.draw(map, panel, state, drawing.limitOf(panel, state));
  if (!scale) return null;
  const canvas = canvasOf(map.width, map.height);
  const context = contextOf(canvas);
  const { url } = state.inputs.get(panel.model) ?? {};
  if (url) context.drawImage(await loadImage(url), 0, 0, map.width, map.height);
  context.globalAlpha = opacityOf(state.rendering);
  context.drawImage(map, 0, 0);
  return { canvas, scale };
}

/**
 * Each pixel as a square of zoom × zoom.
 * @param {HTMLCanvasElement} canvas
 * @param {number} zoom
 */
export function enlarged(canvas, zoom) {
  const large = canvasOf(canvas.width * zoom, canvas.height * zoom);
  const context = contextOf(large);
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, large.width, large.height);
  return large;
}
