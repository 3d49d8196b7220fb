// What tools/make_learn has written, fetched once: numbers, pictures, strips of frames, and the palette to colour them.

import { loadPalettes } from "../rendering/palettes.js";
import { contextOf } from "../shared/dom.js";

const BASE = new URL("../../learn/", import.meta.url);
let loading = null;

export function palettes() {
  loading ??= loadPalettes();
  return loading;
}

/** The colours that magnitudes take on this page. */
export const colours = async () => (await palettes()).inferno.colours;

/**
 * @param {string} name
 * @param {URL | string} base
 */
export async function numbers(name, base = BASE) {
  const response = await fetch(new URL(`${name}.json`, base));
  if (!response.ok) throw new Error(`${response.status} for ${name}.json`);
  return response.json();
}

/**
 * @param {string} name
 * @param {URL | string} base
 */
export async function picture(name, base = BASE) {
  const image = new Image();
  image.src = new URL(`${name}.webp`, base).href;
  await image.decode();
  return image;
}

/**
 * The RGBA pixels of a picture, drawn at its own size.
 * @param {HTMLImageElement} image
 * @param {number} x
 * @param {number} width
 */
export function pixelsOf(image, x = 0, width = image.naturalWidth) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = image.naturalHeight;
  const context = contextOf(canvas, { willReadFrequently: true });
  context.drawImage(image, -x, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** A row of square frames. */
export class Strip {
  #image;
  #colours;

  /**
   * @param {HTMLImageElement} image
   * @param {Uint32Array | null} colours
   */
  constructor(image, colours) {
    this.#image = image;
    this.#colours = colours;
    this.side = image.naturalHeight;
  }

  /**
   * Loads a strip of frames. `coloured`: they are maps, whose grey levels are replaced by colours; else pictures.
   * @param {string} name
   * @param {boolean} coloured
   * @param {URL | string} base
   */
  static async load(name, coloured = true, base = BASE) {
    const [image, table] = await Promise.all([picture(name, base), coloured ? colours() : null]);
    return new Strip(image, table);
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} index
   */
  draw(canvas, index) {
    const frame = pixelsOf(this.#image, index * this.side, this.side);
    if (this.#colours) {
      const rgba = new Uint32Array(frame.data.buffer);
      for (let i = 0; i < rgba.length; i += 1) rgba[i] = this.#colours[frame.data[4 * i]];
    }
    canvas.width = this.side;
    canvas.height = this.side;
    contextOf(canvas).putImageData(frame, 0, 0);
  }
}

/**
 * What stands beside a method's figure.js, whose address is `url`: its numbers, its strips of frames.
 * @param {string} url
 */
export const assetsBeside = (url) => ({
  numbers: (/** @type {string} */ name) => numbers(name, url),
  strip: (/** @type {string} */ name, coloured = true) => Strip.load(name, coloured, url),
});
