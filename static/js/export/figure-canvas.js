// A figure's marks on a canvas.

import { canvasOf } from "./map-image.js";
import { FONT } from "./marks.js";

const ALIGN = { start: "left", middle: "center", end: "right" };

const paint = {
  text(context, { text, x, y, size, weight, colour, anchor }) {
    context.font = `${weight} ${size}px ${FONT}`;
    context.fillStyle = colour;
    context.textAlign = ALIGN[anchor];
    context.fillText(text, x, y);
  },
  image(context, { canvas, x, y, width, height, smooth }) {
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(canvas, x, y, width, height);
  },
  frame(context, { x, y, width, height, colour, line }) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(x, y, width, height);
  },
};

export function figureCanvas({ width, height, marks }, zoom) {
  const canvas = canvasOf(width * zoom, height * zoom);
  const context = canvas.getContext("2d");
  context.scale(zoom, zoom);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  for (const mark of marks) paint[mark.kind](context, mark);
  return canvas;
}
