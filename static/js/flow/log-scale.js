// The logarithmic axis of the figure. Pure functions.

const FALL = 1e-3; // of the largest: what is below has vanished

/**
 * {low, high} in whole decades around all values above zero, with the line below which they have vanished.
 * @param {(number | null)[]} values
 */
export function decadesOf(values) {
  const known = values.flatMap((value) => (value !== null && value > 0 ? value : []));
  if (!known.length) return { low: -3, high: 0 };
  const most = Math.max(...known);
  const least = Math.min(...known, FALL * most);
  return { low: Math.floor(Math.log10(least)), high: Math.max(Math.ceil(Math.log10(most)), Math.floor(Math.log10(least)) + 1) };
}

/**
 * Whole exponents from `low` to `high`, six or so of them.
 * @param {{ low: number, high: number }} decades
 * @param {number} count
 */
export function ticksOf({ low, high }, count = 6) {
  const step = Math.max(1, Math.ceil((high - low) / count));
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, place) => low + place * step);
}

/**
 * Runs of neighbouring layers that have a value above zero: [[[place, value], …], …].
 * @param {(number | null)[]} values
 * @returns {[number, number][][]}
 */
export function runsOf(values) {
  /** @type {[number, number][][]} */
  const runs = [];
  values.forEach((value, place) => {
    if (value === null || !(value > 0)) return;
    const last = runs.at(-1);
    if (last?.at(-1)?.[0] === place - 1) last.push([place, value]);
    else runs.push([[place, value]]);
  });
  return runs;
}

/** @param {(number | null)[]} values */
export const vanished = (values) => FALL * Math.max(0, ...values.flatMap((value) => (value !== null && Number.isFinite(value) ? value : [])));
