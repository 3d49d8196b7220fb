// Two maps against each other, pixel by pixel. Pure functions; they run in the worker.

import { thresholdOf } from "../rendering/top-percent.js";

/** @import { ReducedMap } from "../rendering/types.js" */

/** @typedef {Pick<ReducedMap, "width" | "height" | "values"> & { crop: number[] }} Grid */

/** @typedef {Grid & { clip: number }} Clipped */

const TOP = 10; // per cent

/**
 * Ranks from 1; equal values share the mean of their ranks.
 * @param {ArrayLike<number>} values
 */
export function ranksOf(values) {
  const order = Uint32Array.from(values, (_, i) => i).sort((i, j) => values[i] - values[j]);
  const ranks = new Float64Array(values.length);
  for (let from = 0, to; from < order.length; from = to) {
    to = from + 1;
    while (to < order.length && values[order[to]] === values[order[from]]) to += 1;
    for (let k = from; k < to; k += 1) ranks[order[k]] = (from + to + 1) / 2;
  }
  return ranks;
}

/**
 * Pearson's correlation; null where one of the two is constant.
 * @param {Float64Array} a
 * @param {Float64Array} b
 */
function correlation(a, b) {
  /** @param {Float64Array} values */
  const middle = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [middle(a), middle(b)];
  let [both, ownA, ownB] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    both += (a[i] - meanA) * (b[i] - meanB);
    ownA += (a[i] - meanA) ** 2;
    ownB += (b[i] - meanB) ** 2;
  }
  return ownA > 0 && ownB > 0 ? both / Math.sqrt(ownA * ownB) : null;
}

/**
 * Spearman's rank correlation.
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
export const spearman = (a, b) => correlation(ranksOf(a), ranksOf(b));

/**
 * Of the pixels in the top of either: {union: |A ∩ B| / |A ∪ B|, share: |A ∩ B| / the smaller of |A|, |B|}.
 * @param {Float32Array} a
 * @param {Float32Array} b
 * @param {number} percent
 */
export function overlapOf(a, b, percent = TOP) {
  const [fromA, fromB] = [a, b].map((values) => thresholdOf({ magnitudes: values.map(Math.abs).sort() }, percent));
  let [inA, inB, inBoth] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    const [topA, topB] = [Math.abs(a[i]) >= fromA, Math.abs(b[i]) >= fromB];
    if (topA) inA += 1;
    if (topB) inB += 1;
    if (topA && topB) inBoth += 1;
  }
  if (inA === 0 || inB === 0) return { union: null, share: null };
  return { union: inBoth / (inA + inB - inBoth), share: inBoth / Math.min(inA, inB) };
}

/**
 * For each of `count` cells between two fractions of a row of `across`: [[cell of the row, weight], …].
 * @param {number} count
 * @param {number} from
 * @param {number} to
 * @param {number} across
 */
function cellsUnder(count, from, to, across) {
  return Array.from({ length: count }, (_, cell) => {
    const start = (from + ((to - from) * cell) / count) * across;
    const end = (from + ((to - from) * (cell + 1)) / count) * across;
    const cells = [];
    for (let i = Math.max(0, Math.floor(start)); i < Math.min(across, Math.ceil(end)); i += 1) {
      const weight = (Math.min(i + 1, end) - Math.max(i, start)) / (end - start);
      if (weight > 1e-9) cells.push([i, weight]);
    }
    return cells;
  });
}

/**
 * A map as another's pixels see it: the mean over what each of them covers in the original. NaN where
 * more than half of a pixel lies outside of the map.
 * @param {Grid} map
 * @param {Pick<Grid, "width" | "height" | "crop">} target
 */
export function resample({ values, width, height, crop }, target) {
  const [x0, y0, x1, y1] = crop;
  const [left, top, right, bottom] = target.crop;
  const columns = cellsUnder(target.width, (left - x0) / (x1 - x0), (right - x0) / (x1 - x0), width);
  const rows = cellsUnder(target.height, (top - y0) / (y1 - y0), (bottom - y0) / (y1 - y0), height);
  const out = new Float32Array(target.width * target.height);
  rows.forEach((down, y) => columns.forEach((across, x) => {
    let [total, covered] = [0, 0];
    for (const [row, tall] of down) {
      for (const [column, wide] of across) {
        total += tall * wide * values[row * width + column];
        covered += tall * wide;
      }
    }
    out[y * target.width + x] = covered > 0.5 ? total / covered : NaN;
  }));
  return out;
}

/**
 * @param {Grid} a
 * @param {Grid} b
 */
const sameGrid = (a, b) => a.width === b.width && a.height === b.height && a.crop.join() === b.crop.join();

/**
 * {shape, values, first, pixels, signed, magnitudes, union, share}: A / clip − B / clip, each clipped at
 * its own end, on the grid of the one with fewer pixels (`first`: that is A's); rank correlation of the
 * values and of their magnitudes; overlap of the strongest tenths. Pixels that only one of them saw
 * count nowhere, and are zero in the difference.
 * @param {Clipped} a
 * @param {Clipped} b
 */
export function compare(a, b) {
  const first = a.width * a.height <= b.width * b.height;
  const grid = first ? a : b;
  const [valuesA, valuesB] = [a, b].map((map) => (sameGrid(map, grid) ? map.values : resample(map, grid)));
  const common = [...valuesA.keys()].filter((i) => !Number.isNaN(valuesA[i]) && !Number.isNaN(valuesB[i]));
  const values = new Float32Array(valuesA.length);
  /** @type {(value: number, map: Clipped) => number} */
  const share = (value, { clip }) => (clip > 0 ? Math.min(Math.max(value / clip, -1), 1) : 0);
  for (const i of common) values[i] = share(valuesA[i], a) - share(valuesB[i], b);
  const [seenA, seenB] = [valuesA, valuesB].map((all) => Float32Array.from(common, (i) => all[i]));
  return {
    shape: [1, grid.height, grid.width],
    values,
    first,
    pixels: common.length,
    signed: spearman(seenA, seenB),
    magnitudes: spearman(seenA.map(Math.abs), seenB.map(Math.abs)),
    ...overlapOf(seenA, seenB),
  };
}
