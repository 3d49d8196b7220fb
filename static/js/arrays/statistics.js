// Numbers read off a reduced map: the rank of a value, the share of a box.

/** @import { ReducedMap } from "../rendering/types.js" */

/** @typedef {Pick<ReducedMap, "width" | "height" | "values">} Grid */

/**
 * How many of the ascending `sorted` are at most `value`.
 * @param {ArrayLike<number>} sorted
 * @param {number} value
 */
function countUpTo(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The fraction of the map's pixels whose magnitude is at most `value`'s.
 * @param {Pick<ReducedMap, "magnitudes">} map
 * @param {number} value
 */
export const rankOf = ({ magnitudes }, value) => countUpTo(magnitudes, Math.abs(value)) / magnitudes.length;

/**
 * Counts of the magnitudes in equal bins from zero to the largest.
 * @param {Pick<ReducedMap, "magnitudes">} map
 * @param {number} bins
 */
export function histogramOf({ magnitudes }, bins) {
  const most = magnitudes[magnitudes.length - 1];
  let before = 0;
  return Array.from({ length: bins }, (_, bin) => {
    const upTo = bin === bins - 1 ? magnitudes.length : countUpTo(magnitudes, (most * (bin + 1)) / bins);
    const count = upTo - before;
    before = upTo;
    return count;
  });
}

/** @type {WeakMap<Grid, { magnitude: number, positive: number }>} */
const totals = new WeakMap();

/**
 * Sums over all of a map, made once.
 * @param {Grid} map
 */
function totalsOf(map) {
  const known = totals.get(map);
  if (known) return known;
  let [magnitude, positive] = [0, 0];
  for (const value of map.values) {
    magnitude += Math.abs(value);
    if (value > 0) positive += value;
  }
  const made = { magnitude, positive };
  totals.set(map, made);
  return made;
}

/**
 * How much of each of `count` cells lies between two fractions of their row.
 * @param {number} from
 * @param {number} to
 * @param {number} count
 */
function coverage(from, to, count) {
  const [start, end] = [from * count, to * count];
  return Float64Array.from({ length: count }, (_, cell) => Math.max(0, Math.min(cell + 1, end) - Math.max(cell, start)));
}

/**
 * Shares of a box [u0, v0, u1, v1] in fractions of the panel: {area, map, positive}. `map` is the share
 * of the sum of |values|, `positive` that of what is above zero in `signed`, the sum over channels. A
 * pixel that is cut counts for what of it is inside; null where there is nothing to have a share of.
 * @param {Grid} map
 * @param {Grid} signed
 * @param {number[]} box
 */
export function sharesOf(map, signed, [u0, v0, u1, v1]) {
  const { values, width, height } = map;
  const across = coverage(u0, u1, width);
  const down = coverage(v0, v1, height);
  const within = { area: 0, map: 0, positive: 0 };
  for (let y = 0; y < height; y += 1) {
    if (down[y] === 0) continue;
    for (let x = 0, i = y * width; x < width; x += 1, i += 1) {
      const weight = across[x] * down[y];
      if (weight === 0) continue;
      within.area += weight;
      within.map += weight * Math.abs(values[i]);
      within.positive += weight * Math.max(signed.values[i], 0);
    }
  }
  /** @type {(part: number, total: number) => number | null} */
  const share = (part, total) => (total > 0 ? part / total : null);
  return {
    area: share(within.area, width * height),
    map: share(within.map, totalsOf(map).magnitude),
    positive: share(within.positive, totalsOf(signed).positive),
  };
}
