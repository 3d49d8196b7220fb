// The picture at a point of a deletion or insertion curve. Pure functions.

/** @import { RawArray } from "../rendering/types.js" */

/**
 * Values in [0, 1], (c, h, w) of one or three channels, as RGBA pixels; what lies outside is cut.
 * @param {RawArray} array
 */
export function rgbaOf({ shape: [channels, height, width], values }) {
  const size = height * width;
  const bytes = new Uint8ClampedArray(4 * size);
  for (let i = 0; i < size; i += 1) {
    for (let c = 0; c < 3; c += 1) bytes[4 * i + c] = 255 * values[(channels === 1 ? 0 : c * size) + i];
    bytes[4 * i + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}

/**
 * Writes the picture at point `k` into `pixels`. `order` holds the point from which on each pixel is exchanged: in a
 * deletion for the replacement, in an insertion for the picture.
 * @param {number} k
 * @param {{ picture: Uint32Array, replacement: Uint32Array, order: Uint16Array, inserts: boolean }} parts
 * @param {Uint32Array} pixels
 */
export function paintCurvePicture(k, { picture, replacement, order, inserts }, pixels) {
  const [before, after] = inserts ? [replacement, picture] : [picture, replacement];
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = order[i] <= k ? after[i] : before[i];
}
