// Palettes are numbers in palettes.json; here they become look-up tables for canvases.

/** @import { Palette } from "./types.js" */

/**
 * "rrggbb" × 256 as RGBA in the byte order of ImageData seen through a Uint32Array.
 * @param {string} hex
 */
function table(hex) {
  const bytes = new Uint8Array(1024);
  for (let i = 0; i < 256; i += 1) {
    for (let c = 0; c < 3; c += 1) bytes[4 * i + c] = parseInt(hex.slice(6 * i + 2 * c, 6 * i + 2 * c + 2), 16);
    bytes[4 * i + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}

/**
 * {id: {title, kind, colours}}
 * @returns {Promise<Record<string, Palette>>}
 */
export async function loadPalettes() {
  const response = await fetch(new URL("../../palettes.json", import.meta.url));
  /** @type {Record<string, Omit<Palette, "colours"> & { colours: string }>} */
  const records = await response.json();
  return Object.fromEntries(Object.entries(records).map(([id, record]) => [id, { ...record, colours: table(record.colours) }]));
}

/**
 * Draws `colours[from..to]` as a strip, one pixel an entry; CSS stretches it.
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
