// Colours of a grid of numbers: a perceptually uniform palette, zero in the middle of a diverging one.

import { loadPalettes } from "../rendering/palettes.js";
import { number, powerOfTen } from "../shared/format.js";
import { extent, linearScale, logScale } from "./scale.js";

/**
 * @import { Palette } from "../rendering/types.js"
 * @import { Scale } from "./scale.js"
 * @import { Value } from "./types.js"
 */

/** @type {Record<string, Palette> | null} */
let loaded = null;

/** Resolves once colours can be told; figures with colours wait for it. */
export async function readyColours() {
  loaded ??= await loadPalettes();
}

/**
 * The scale of colours of these values.
 * @param {Value[][]} values
 * @param {{ log?: boolean, signed?: boolean, decades?: number }} kind - decades: how many at most a logarithmic scale spans
 * @returns {{ scale: Scale, palette: Palette | null }}
 */
export function colourScale(values, { log = false, signed = false, decades = Infinity }) {
  const found = extent(values.flat(), log) ?? (log ? [0.1, 1] : [0, 1]);
  let [low, high] = found;
  if (log) low = Math.max(low, high * 10 ** -decades); // what is smaller has the colour of this end
  if (signed) [low, high] = [-Math.max(Math.abs(low), Math.abs(high)), Math.max(Math.abs(low), Math.abs(high))];
  const scale = log ? logScale(low, high, { tight: true, count: 4 }) : linearScale(low, high, { tight: true, count: 4 });
  return { scale, palette: loaded?.[signed ? "blue_orange" : "viridis"] ?? null };
}

/**
 * A grid as a picture, one pixel for each number; where there is none, nothing.
 * @param {Value[][]} values
 * @param {{ scale: Scale, palette: Palette | null }} colours
 */
export function pictureOf(values, { scale, palette }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [values[0]?.length || 1, values.length || 1];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  values.forEach((row, y) => row.forEach((value, x) => {
    const share = scale.at(value);
    if (share !== null && palette) pixels[y * canvas.width + x] = palette.colours[Math.round(255 * Math.min(1, Math.max(0, share)))];
  }));
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

/**
 * The strip of all colours, from the least value below to the greatest above.
 * @param {{ scale: Scale, palette: Palette | null }} colours
 */
export const stripOf = ({ scale, palette }) => pictureOf(Array.from({ length: 128 }, (_, index) => [scale.from(1 - index / 127)]), { scale, palette });

/** @param {number} value */
export const valueAt = (value) => (Number.isInteger(Math.log10(value)) && Math.abs(Math.log10(value)) > 3 ? powerOfTen(Math.log10(value)) : number(value, 2));
