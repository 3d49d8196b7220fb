// The logarithmic axis of the gradient flow's figure. Pure functions.

const VANISHING_SHARE = 1e-3; // share of the largest value below which a gradient has vanished

/**
 * The axis as {low, high}, powers of ten: around all positive values, and the line below which a gradient has vanished.
 * @param {(number | null)[]} values
 */
export function decadesOf(values) {
  const positive = values.flatMap((value) => (value !== null && value > 0 ? value : []));
  if (!positive.length) return { low: -3, high: 0 };
  const largest = Math.max(...positive);
  const lowest = Math.min(...positive, VANISHING_SHARE * largest);
  return { low: Math.floor(Math.log10(lowest)), high: Math.max(Math.ceil(Math.log10(largest)), Math.floor(Math.log10(lowest)) + 1) };
}

/**
 * Whole exponents from `low` to `high`, about `count` of them.
 * @param {{ low: number, high: number }} decades
 * @param {number} count
 */
export function ticksOf({ low, high }, count = 6) {
  const step = Math.max(1, Math.ceil((high - low) / count));
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, index) => low + index * step);
}

/**
 * The pieces of the curve: runs of neighbouring layers with a positive value, each as [[index, value], …].
 * @param {(number | null)[]} values
 * @returns {[number, number][][]}
 */
export function runsOf(values) {
  /** @type {[number, number][][]} */
  const runs = [];
  values.forEach((value, index) => {
    if (value === null || !(value > 0)) return;
    const last = runs.at(-1);
    if (last?.at(-1)?.[0] === index - 1) last.push([index, value]);
    else runs.push([[index, value]]);
  });
  return runs;
}

/**
 * The value below which a gradient has vanished.
 * @param {(number | null)[]} values
 */
export const vanishingThreshold = (values) => VANISHING_SHARE * Math.max(0, ...values.flatMap((value) => (value !== null && Number.isFinite(value) ? value : [])));
