// The logarithmic axis of the figure. Pure functions.

const FALL = 1e-3; // of the largest: what is below has vanished

/** {low, high} in whole decades around all values above zero, with the line below which they have vanished. */
export function decadesOf(values) {
  const known = values.filter((value) => value > 0);
  if (!known.length) return { low: -3, high: 0 };
  const most = Math.max(...known);
  const least = Math.min(...known, FALL * most);
  return { low: Math.floor(Math.log10(least)), high: Math.max(Math.ceil(Math.log10(most)), Math.floor(Math.log10(least)) + 1) };
}

/** Whole exponents from `low` to `high`, six or so of them. */
export function ticksOf({ low, high }, count = 6) {
  const step = Math.max(1, Math.ceil((high - low) / count));
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, place) => low + place * step);
}

/** Runs of neighbouring layers that have a value above zero: [[[place, value], …], …]. */
export function runsOf(values) {
  const runs = [];
  values.forEach((value, place) => {
    if (!(value > 0)) return;
    const last = runs.at(-1)?.at(-1);
    if (last?.[0] === place - 1) runs.at(-1).push([place, value]);
    else runs.push([[place, value]]);
  });
  return runs;
}

export const vanished = (values) => FALL * Math.max(0, ...values.filter(Number.isFinite));
