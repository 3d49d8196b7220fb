// The strongest part of a map: as colours over the picture, as a window onto it, or as an outline.

/** @import { ReducedMap, Scale, Settings } from "./types.js" */

const CLEAR = 0;
const VEIL = pixel(27, 28, 30);
const LIGHT = pixel(255, 255, 255);
const DARK = pixel(0, 0, 0);

/**
 * An opaque colour in the byte order of ImageData seen through a Uint32Array.
 * @param {number} red
 * @param {number} green
 * @param {number} blue
 */
function pixel(red, green, blue) {
  return new Uint32Array(Uint8Array.of(red, green, blue, 255).buffer)[0];
}

/**
 * The least magnitude in the top `percent` of a map's pixels. Zero is never part of the top.
 * @param {{ magnitudes: ArrayLike<number> }} map
 * @param {number} percent
 */
export function thresholdOf({ magnitudes }, percent) {
  const count = Math.max(1, Math.round((magnitudes.length * percent) / 100));
  return magnitudes[magnitudes.length - count] || Number.MIN_VALUE;
}

/**
 * @param {ReducedMap} map
 * @param {number} threshold
 * @param {Uint32Array} pixels
 */
function outline({ values, width, height }, threshold, pixels) {
  /** @param {number} i */
  const within = (i) => Math.abs(values[i]) >= threshold;
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) {
      const own = within(i);
      const edge =
        (x > 0 && within(i - 1) !== own) ||
        (x < width - 1 && within(i + 1) !== own) ||
        (y > 0 && within(i - width) !== own) ||
        (y < height - 1 && within(i + width) !== own);
      // Light within, dark without: one of them stands out from whatever the picture has there.
      pixels[i] = edge ? (own ? LIGHT : DARK) : CLEAR;
    }
  }
}

/**
 * Leaves of the painted `pixels` what `show` asks for.
 * @param {ReducedMap} map
 * @param {Settings["show"]} show
 * @param {number} threshold
 * @param {Uint32Array} pixels
 */
export function restrict(map, show, threshold, pixels) {
  if (show === "outline") return outline(map, threshold, pixels);
  const { values } = map;
  if (show === "window") pixels.fill(VEIL);
  for (let i = 0; i < pixels.length; i += 1) {
    if (Math.abs(values[i]) >= threshold === (show === "window")) pixels[i] = CLEAR;
  }
  return undefined;
}

/**
 * The palette as a scale bar shows it: without the colours that no pixel of the top has.
 * @param {Uint32Array} colours
 * @param {Pick<Scale, "low" | "high">} scale
 * @param {number} threshold
 */
export function restrictColours(colours, { low, high }, threshold) {
  return colours.map((colour, index) => (Math.abs(low + (index / 255) * (high - low)) >= threshold ? colour : CLEAR));
}
