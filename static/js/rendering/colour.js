// How numbers become colours: clip, palette index, neutral colour, overlay. Pure functions, without a DOM.

/** @import { Palette, ReducedMap, Scale, Settings } from "./types.js" */

// The same rule as in app/images/render.py, which explains it; tests/images/golden_rendering.json checks both.
// As there, all is in single precision, and .5 rounds to the even entry.

/** The entry of a palette that zero takes on a symmetric scale: the neutral middle of a diverging palette. */
export const NEUTRAL = 128;

/**
 * A percentile of sorted float32 values, interpolated linearly between ranks: the same bits as numpy.percentile.
 * @param {ArrayLike<number>} sorted
 * @param {number} percentile
 */
export function percentileOf(sorted, percentile) {
  const position = (percentile / 100) * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  const step = Math.fround(sorted[above] - sorted[below]);
  const part = position - below;
  if (part < 0.5) return Math.fround(sorted[below] + Math.fround(step * Math.fround(part)));
  return Math.fround(sorted[above] - Math.fround(step * Math.fround(1 - part)));
}

/**
 * The magnitude at which a map is clipped, alone on its scale.
 * @param {Pick<ReducedMap, "magnitudes">} map
 * @param {number} percentile
 */
export function clipOf(map, percentile) {
  // Where hardly any pixel is above zero the percentile may be zero: then nothing is clipped.
  return percentileOf(map.magnitudes, percentile) || map.magnitudes[map.magnitudes.length - 1];
}

/**
 * The values that the two ends of the palette stand for. Zero is the bottom of a sequential palette
 * and the middle of a diverging one; signed values are symmetric about zero in any palette.
 * `flat`: nothing to tell apart, all of the map takes the colour of zero. `limit` is the clip of a
 * scale that is shared with other maps.
 * @param {ReducedMap} map
 * @param {number} percentile
 * @param {Pick<Palette, "kind">} palette
 * @param {number} limit
 * @returns {Scale}
 */
export function scaleOf(map, percentile, palette, limit = clipOf(map, percentile)) {
  const symmetric = map.signed || palette.kind === "diverging";
  return {
    low: symmetric ? -limit : 0,
    high: limit,
    symmetric,
    flat: map.low === map.high,
    clipsLow: map.low < -limit,
    clipsHigh: map.high > limit,
  };
}

/**
 * The entry of the palette that a value takes. A map in which nothing differs takes that of zero.
 * @param {number} value
 * @param {Pick<Scale, "low" | "high" | "flat" | "symmetric">} scale
 */
export function paletteIndex(value, { low, high, flat, symmetric }) {
  if (flat || high === low) return symmetric ? NEUTRAL : 0;
  const position = Math.fround(Math.fround(value - low) / Math.fround(high - low));
  if (!(position > 0)) return 0;
  if (position >= 1) return 255;
  const entry = Math.fround(position * 255);
  const below = Math.floor(entry);
  const part = entry - below;
  return part < 0.5 || (part === 0.5 && below % 2 === 0) ? below : below + 1;
}

// In double precision an entry is off by less than this from the one in single precision: 255 × 3 roundings of 2⁻²⁴.
const UNSURE = 1e-3;
const SHORTEST_SPAN = 1e-30; // below, single precision has fewer than its 24 bits

/**
 * Writes the colours of `map` into `pixels`, a Uint32Array over RGBA.
 *
 * As `paletteIndex` says for every value, in a fifth of the time: only an entry that is almost halfway between two is
 * computed in single precision.
 * @param {Pick<ReducedMap, "values">} map
 * @param {Scale} scale
 * @param {Uint32Array} colours
 * @param {Uint32Array} pixels
 */
export function paint({ values }, scale, colours, pixels) {
  const { low, high, flat } = scale;
  const perUnit = 255 / (high - low);
  const exact = flat || !(high - low > SHORTEST_SPAN) || !Number.isFinite(Math.fround(high - low));
  for (let i = 0; i < pixels.length; i += 1) {
    const entry = (values[i] - low) * perUnit + 0.5;
    const nearest = Math.floor(entry);
    const part = entry - nearest;
    pixels[i] =
      !exact && part > UNSURE && part < 1 - UNSURE
        ? colours[nearest < 0 ? 0 : nearest > 255 ? 255 : nearest]
        : colours[paletteIndex(values[i], scale)];
  }
}

/**
 * The opacity of a map over its picture, 0 … 1: the colour is opacity × map + (1 − opacity) × picture.
 * @param {Pick<Settings, "overlay">} settings
 */
export const opacityOf = ({ overlay }) => overlay / 100;
