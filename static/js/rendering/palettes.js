// Loads the palettes from palettes.json as look-up tables for canvas pixels.

/** @import { Palette } from "./types.js" */

/**
 * 256 RGBA pixels from their colours, written as "rrggbb" one after the other. Each pixel is one number whose bytes lie in
 * memory as ImageData needs them.
 * @param {string} hex
 */
function lookUpTable(hex) {
  const bytes = new Uint8Array(1024);
  for (let i = 0; i < 256; i += 1) {
    for (let c = 0; c < 3; c += 1) bytes[4 * i + c] = parseInt(hex.slice(6 * i + 2 * c, 6 * i + 2 * c + 2), 16);
    bytes[4 * i + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}

/**
 * All palettes by id, each {title, kind, colours}.
 * @returns {Promise<Record<string, Palette>>}
 */
export async function loadPalettes() {
  const response = await fetch(new URL("../../palettes.json", import.meta.url));
  /** @type {Record<string, Omit<Palette, "colours"> & { colours: string }>} */
  const records = await response.json();
  return Object.fromEntries(Object.entries(records).map(([id, record]) => [id, { ...record, colours: lookUpTable(record.colours) }]));
}

/**
 * Draws `colours[from]` to `colours[to]` as a strip, one pixel for each; CSS stretches it.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint32Array} colours
 * @param {number} from
 * @param {number} to
 */
export function drawStrip(canvas, colours, from = 0, to = 255) {
  const count = to - from + 1;
  canvas.width = count;
  canvas.height = 1;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(count, 1);
  new Uint32Array(image.data.buffer).set(colours.subarray(from, to + 1));
  context.putImageData(image, 0, 0);
}
