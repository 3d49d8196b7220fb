// From a panel's state to a canvas: shared by the grid and the full screen.

import { paint, paletteOf, reduce, scaleOf } from "./reading.js";

const images = new WeakMap();

function imageOf(canvas, { width, height }) {
  let image = images.get(canvas);
  if (!image || image.width !== width || image.height !== height) {
    canvas.width = width;
    canvas.height = height;
    image = canvas.getContext("2d").createImageData(width, height);
    images.set(canvas, image);
  }
  return image;
}

/**
 * Draws the panel's best array as it is to be read now; returns what the scale bar needs, or null
 * where there is nothing to draw yet.
 */
export function draw(canvas, panel, { reading, palettes }) {
  const array = panel.raw ?? panel.estimate;
  if (!array || !palettes) return null;
  const map = reduce(array, reading.reduction);
  const palette = palettes[paletteOf(reading)];
  const scale = scaleOf(map, reading.percentile, palette);
  const image = imageOf(canvas, map);
  paint(map, scale, palette.colours, new Uint32Array(image.data.buffer));
  canvas.getContext("2d").putImageData(image, 0, 0);
  return { ...scale, palette };
}
