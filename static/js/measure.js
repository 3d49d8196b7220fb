// Numbers read off a reduced map: the rank of a value, the share of a box.

/** How many of the ascending `sorted` are at most `value`. */
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

/** The fraction of the map's pixels whose magnitude is at most `value`'s. */
export const rankOf = ({ magnitudes }, value) => countUpTo(magnitudes, Math.abs(value)) / magnitudes.length;

/** Counts of the magnitudes in equal bins from zero to the largest. */
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

/** How much of each of `count` cells lies between two fractions of their row. */
function coverage(from, to, count) {
  const [start, end] = [from * count, to * count];
  return Float64Array.from({ length: count }, (_, cell) => Math.max(0, Math.min(cell + 1, end) - Math.max(cell, start)));
}

/**
 * Shares of a box [u0, v0, u1, v1] in fractions of the panel: {area, map, positive}. `map` is the share
 * of the sum of |values|, `positive` that of what is above zero in `signed`, the sum over channels. A
 * pixel that is cut counts for what of it is inside; null where there is nothing to have a share of.
 */
export function sharesOf({ values, width, height }, signed, [u0, v0, u1, v1]) {
  const across = coverage(u0, u1, width);
  const down = coverage(v0, v1, height);
  const within = { area: 0, map: 0, positive: 0 };
  const whole = { area: width * height, map: 0, positive: 0 };
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) {
      const weight = across[x] * down[y];
      const size = Math.abs(values[i]);
      const positive = Math.max(signed.values[i], 0);
      whole.map += size;
      whole.positive += positive;
      within.area += weight;
      within.map += weight * size;
      within.positive += weight * positive;
    }
  }
  const share = (name) => (whole[name] > 0 ? within[name] / whole[name] : null);
  return { area: share("area"), map: share("map"), positive: share("positive") };
}
