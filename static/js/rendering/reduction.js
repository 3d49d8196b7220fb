// From a raw attribution to a map: reduction over channels. Pure functions.

/** @import { RawArray, ReducedMap, Reduction } from "./types.js" */

/** @typedef {(values: Float32Array, size: number, channels: number, i: number) => number} Reduce */

/** @type {Reduce} */
function sum(values, size, channels, i) {
  let total = 0;
  for (let c = 0; c < channels; c += 1) total = Math.fround(total + values[c * size + i]);
  return total;
}

/** @type {Record<Reduction, Reduce>} */
const OVER_CHANNELS = {
  sum,
  positive: (values, size, channels, i) => Math.max(sum(values, size, channels, i), 0),
  negative: (values, size, channels, i) => Math.max(-sum(values, size, channels, i), 0),
  abs: (values, size, channels, i) => {
    let total = 0;
    for (let c = 0; c < channels; c += 1) total = Math.fround(total + Math.abs(values[c * size + i]));
    return total;
  },
  max: (values, size, channels, i) => {
    let most = 0;
    for (let c = 0; c < channels; c += 1) most = Math.max(most, Math.abs(values[c * size + i]));
    return most;
  },
};

/**
 * @param {RawArray} raw
 * @param {Reduction} reduction
 * @returns {ReducedMap}
 */
function compute({ shape: [channels, height, width], values }, reduction) {
  const size = height * width;
  const reduced = new Float32Array(size);
  const over = OVER_CHANNELS[reduction];
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < size; i += 1) {
    const value = Math.fround(over(values, size, channels, i)); // as it is kept: the ends must be values of the map
    reduced[i] = value;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  // Sorted once, so that dragging the percentile costs one look-up.
  const magnitudes = reduced.map(Math.abs).sort();
  return { height, width, values: reduced, low, high, magnitudes, signed: reduction === "sum" };
}

/** @type {WeakMap<RawArray, Map<Reduction, ReducedMap>>} */
const cache = new WeakMap();

/**
 * The (h, w) map of a raw (c, h, w) array; computed once for every array and reduction.
 * @param {RawArray} raw
 * @param {Reduction} reduction
 * @returns {ReducedMap}
 */
export function reduce(raw, reduction) {
  const reductions = cache.get(raw) ?? new Map();
  cache.set(raw, reductions);
  const known = reductions.get(reduction) ?? compute(raw, reduction);
  reductions.set(reduction, known);
  return known;
}
