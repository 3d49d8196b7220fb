// A figure's marks on a canvas.

import { contextOf } from "../shared/dom.js";
import { canvasOf } from "./map-image.js";
import { FONT } from "./marks.js";

/** @import { Figure, FrameMark, ImageMark, TextMark } from "./marks.js" */

/** @type {Record<string, CanvasTextAlign>} */
const ALIGN = { start: "left", middle: "center", end: "right" };

/** @type {Record<string, (context: CanvasRenderingContext2D, mark: any) => void>} */
const paint = {
  /**
   * @param {CanvasRenderingContext2D} context
   * @param {TextMark} mark
   */
  text(context, { text, x, y, size, weight, colour, anchor }) {
    context.font = `${weight} ${size}px ${FONT}`;
    context.fillStyle = colour;
    context.textAlign = ALIGN[anchor];
    context.fillText(text, x, y);
  },
  /**
   * @param {CanvasRenderingContext2D} context
   * @param {ImageMark} mark
   */
  image(context, { canvas, x, y, width, height, smooth }) {
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(canvas, x, y, width, height);
  },
  /**
   * @param {CanvasRenderingContext2D} context
   * @param {FrameMark} mark
   */
  frame(context, { x, y, width, height, colour, line }) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(x, y, width, height);
  },
};

/**
 * @param {Figure} figure
 * @param {number} zoom
 */
export function figureCanvas({ width, height, marks }, zoom) {
  const canvas = canvasOf(width * zoom, height * zoom);
  const context = contextOf(canvas);
  context.scale(zoom, zoom);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  for (const mark of marks) paint[mark.kind](context, mark);
  return canvas;
}
