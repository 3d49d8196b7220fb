// The strongest part of a map: as colours over the picture, as a window onto it, as an outline, or as regions.

/** @import { ReducedMap, Scale, Settings } from "./types.js" */

const CLEAR = 0;
const VEIL = pixel(27, 28, 30);
const LIGHT = pixel(255, 255, 255);
const DARK = pixel(0, 0, 0);
const FAINT = pixel(0, 0, 0, 140);
const REGIONAL = 0.5; // share of neighbours with the same value, from which a map is made of regions

/**
 * A colour in the byte order of ImageData seen through a Uint32Array.
 * @param {number} red
 * @param {number} green
 * @param {number} blue
 * @param {number} opacity - 0 … 255
 */
function pixel(red, green, blue, opacity = 255) {
  return new Uint32Array(Uint8Array.of(red, green, blue, opacity).buffer)[0];
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
 * The share of a map's pixels whose magnitude reaches a threshold.
 * @param {{ magnitudes: ArrayLike<number> }} map
 * @param {number} threshold
 */
export function shareFrom({ magnitudes }, threshold) {
  let [low, high] = [0, magnitudes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (magnitudes[middle] < threshold) low = middle + 1;
    else high = middle;
  }
  return (magnitudes.length - low) / (magnitudes.length || 1);
}

/**
 * Whether a map is made of regions of one value each, as those of XRAI, LIME and occlusion are: at least half of the
 * neighbours in its rows are equal, those apart that are both zero.
 * @param {Pick<ReducedMap, "values" | "width" | "height">} map
 */
export function hasRegions({ values, width, height }) {
  let [equal, all] = [0, 0];
  for (let y = 0, i = 0; y < height; y += 1, i += 1) {
    for (let x = 1; x < width; x += 1, i += 1) {
      if (values[i] === 0 && values[i + 1] === 0) continue;
      all += 1;
      if (values[i] === values[i + 1]) equal += 1;
    }
  }
  return all > 0 && equal >= REGIONAL * all;
}

/**
 * The borders of a map's regions: light within the top, with the dark edge that an outline has, faint elsewhere.
 * @param {ReducedMap} map
 * @param {number} threshold
 * @param {Uint32Array} pixels
 */
function regions({ values, width, height }, threshold, pixels) {
  pixels.fill(CLEAR);
  /** @type {(one: number, other: number) => void} */
  const border = (one, other) => {
    if (values[one] === values[other]) return;
    const [inner, outer] = Math.abs(values[one]) >= Math.abs(values[other]) ? [one, other] : [other, one];
    const light = Math.abs(values[inner]) >= threshold;
    if (light) pixels[inner] = LIGHT;
    if (pixels[outer] !== LIGHT) pixels[outer] = light ? DARK : pixels[outer] || FAINT;
  };
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) {
      if (x + 1 < width) border(i, i + 1);
      if (y + 1 < height) border(i, i + width);
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
  if (show === "regions" && hasRegions(map)) return regions(map, threshold, pixels);
  if (show === "outline" || show === "regions") return outline(map, threshold, pixels); // of a map without regions
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
