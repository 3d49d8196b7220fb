// Axes: from values to their place, and where the ticks are. Pure functions.

import { number, powerOfTen, trimmed } from "../shared/format.js";

/** @typedef {{ value: number, text: string }} Tick */

/**
 * An axis: `at` has the place of a value as a share of the axis, null where it has none; `from` is its inverse.
 * @typedef {object} Scale
 * @property {boolean} log
 * @property {number} low
 * @property {number} high
 * @property {Tick[]} ticks
 * @property {(value: number | null | undefined) => number | null} at
 * @property {(share: number) => number} from
 */

const FEW_DECADES = 2; // an axis of fewer has ticks between the powers of ten too
const FEW_TICKS = 3;
const BETWEEN = [[1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]]; // from sparse to dense
const NEAR = 0.01; // of an axis: it ends at a tick that is so near beyond its values

/**
 * A round distance between ticks: 1, 2 or 5 times a power of ten.
 * @param {number} span
 * @param {number} count
 */
export function tickStep(span, count) {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough * 0.999) ?? 10;
  return factor * power;
}

/**
 * The texts of evenly spaced ticks: as many digits as the distance between them asks for.
 * @param {number[]} values
 * @param {number} step
 * @returns {Tick[]}
 */
function labelled(values, step) {
  const most = Math.max(...values.map(Math.abs));
  if (most >= 1e5 || (most > 0 && most < 1e-3)) return values.map((value) => ({ value, text: number(value, 2) }));
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return values.map((value) => ({ value, text: value.toFixed(digits).replace("-", "−") }));
}

/**
 * The ends of an axis of lines: at a tick that is next to its values, so that 0.003 to 0.997 shows 0 and 1.
 * @param {number} low
 * @param {number} high
 * @param {number} step
 * @returns {[number, number]}
 */
function rounded(low, high, step) {
  const room = NEAR * (high - low);
  const [below, above] = [step * Math.floor(low / step + 1e-9), step * Math.ceil(high / step - 1e-9)].map((tick) => Number(tick.toPrecision(12)));
  return [low - below <= room ? below : low, above - high <= room ? above : high];
}

/**
 * @param {number} low
 * @param {number} high
 * @param {{ count?: number, tight?: boolean, rounds?: boolean }} [options] tight: the axis ends at its values, not at
 *   ticks; rounds: but at a tick that is very near
 * @returns {Scale}
 */
export function linearScale(low, high, { count = 5, tight = false, rounds = false } = {}) {
  if (low === high) [low, high] = low === 0 ? [0, 1] : [Math.min(0, 2 * low), Math.max(0, 2 * low)];
  let step = tickStep(high - low, count);
  // A tight axis may have only one round value at that distance.
  while (tight && Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) < 1) step = tickStep(0.4 * step, 1);
  if (rounds) [low, high] = rounded(low, high, step);
  const first = tight ? Math.ceil(low / step - 1e-9) : Math.floor(low / step + 1e-9);
  const last = tight ? Math.floor(high / step + 1e-9) : Math.ceil(high / step - 1e-9);
  const values = Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
  const [start, end] = tight ? [low, high] : [first * step, last * step];
  return {
    log: false, low: start, high: end, ticks: labelled(values, step),
    at: (value) => (typeof value === "number" && Number.isFinite(value) ? (value - start) / (end - start) : null),
    from: (share) => start + share * (end - start),
  };
}

/**
 * Powers of ten, from exponent to exponent.
 * @param {number} start
 * @param {number} end
 * @param {number} every
 * @returns {Tick[]}
 */
function decades(start, end, every) {
  const first = Math.ceil(start - 1e-9);
  const many = Math.max(0, Math.floor((end + 1e-9 - first) / every) + 1);
  return Array.from({ length: many }, (_, index) => first + index * every).map((exponent) => ({ value: 10 ** exponent, text: powerOfTen(exponent) }));
}

/**
 * Ticks between powers of ten: as many factors as give enough of them; evenly spaced ones where none do.
 * @param {number} start exponents
 * @param {number} end
 * @param {number} count
 * @returns {Tick[]}
 */
function ticksBetween(start, end, count) {
  for (const factors of BETWEEN) {
    const values = [];
    for (let exponent = Math.floor(start); exponent <= Math.ceil(end); exponent += 1) {
      for (const factor of factors) {
        const place = exponent + Math.log10(factor);
        if (place >= start - 1e-9 && place <= end + 1e-9) values.push(Number((factor * 10 ** exponent).toPrecision(6)));
      }
    }
    if (values.length >= FEW_TICKS) return values.map((value) => ({ value, text: trimmed(number(value, 2)) }));
  }
  return linearScale(10 ** start, 10 ** end, { count, tight: true }).ticks;
}

/**
 * @param {number} low
 * @param {number} high
 * @param {{ count?: number, tight?: boolean, least?: number | null }} [options] least: what is smaller has no place
 * @returns {Scale}
 */
export function logScale(low, high, { count = 5, tight = false, least = null } = {}) {
  if (least !== null) [low, high] = [Math.max(low, least), Math.max(high, least)];
  let [start, end] = [Math.log10(low), Math.log10(high)];
  const near = end - start < FEW_DECADES;
  if (!tight && !near) [start, end] = [Math.floor(start + 1e-9), Math.ceil(end - 1e-9)];
  if (end - start < 0.1) [start, end] = [start - 0.5, end + 0.5];
  const every = Math.max(1, Math.ceil((end - start) / count));
  const ticks = near ? ticksBetween(start, end, count) : decades(start, end, every);
  return {
    log: true, low: 10 ** start, high: 10 ** end, ticks,
    at: (value) => (typeof value === "number" && value > 0 && value >= (least ?? 0) && Number.isFinite(value) ? (Math.log10(value) - start) / (end - start) : null),
    from: (share) => 10 ** (start + share * (end - start)),
  };
}

/**
 * The least and the greatest of the values that an axis can show; null where there are none.
 * @param {(number | null | undefined)[]} values
 * @param {boolean} log
 * @returns {[number, number] | null}
 */
export function extent(values, log = false) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (typeof value !== "number" || !Number.isFinite(value) || (log && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/**
 * The axis of these values. A linear one that begins near zero begins at it.
 * @param {(number | null | undefined)[]} values
 * @param {{ log?: boolean, count?: number, tight?: boolean, rounds?: boolean, zero?: boolean, least?: number | null }} [options]
 */
export function scaleOf(values, { log = false, count = 5, tight = false, rounds = false, zero = false, least = null } = {}) {
  const found = extent(values, log);
  if (!found) return log ? logScale(0.1, 10, { count }) : linearScale(0, 1, { count });
  let [low, high] = found;
  if (log) return logScale(low, high, { count, tight, least });
  if (zero || (!tight && low > 0 && low < 0.6 * high)) low = Math.min(0, low);
  if (zero || (!tight && high < 0 && high > 0.6 * low)) high = Math.max(0, high);
  return linearScale(low, high, { count, tight, rounds });
}

/**
 * The index of the value that is nearest to `wanted` in an increasing list.
 * @param {number[]} values
 * @param {number} wanted
 */
export function nearest(values, wanted) {
  let best = 0;
  values.forEach((value, index) => {
    if (Math.abs(value - wanted) < Math.abs(values[best] - wanted)) best = index;
  });
  return best;
}
