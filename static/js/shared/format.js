// Numbers for the eye: exact, short, with a true minus sign.

/** @type {Record<string, string>} */
const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
/** @param {string} text */
const minus = (text) => text.replace("-", "−");

/**
 * 10⁻³
 * @param {number} exponent
 */
export const powerOfTen = (exponent) => `10${[...String(exponent)].map((character) => SUPERSCRIPTS[character]).join("")}`;

/**
 * Three significant digits, whole numbers whole; powers of ten below 0.001 and from 10000 on.
 * @param {number} value
 * @param {number} digits
 */
export function number(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  const rounded = Number.isInteger(value) ? value : Number(value.toPrecision(digits));
  const size = Math.abs(rounded);
  if (Number.isInteger(value) && size < 1e4) return minus(String(value));
  if (size >= 1e-3 && size < 1e4) return minus(size < 10 ** (digits - 1) ? rounded.toPrecision(digits) : String(rounded));
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  return `${minus(mantissa)}×${powerOfTen(Number(exponent))}`;
}

/**
 * Without zeros at the end of its decimals.
 * @param {string} text
 */
export const trimmed = (text) => text.replace(/(\.\d*?)0+(?=$|×)/, "$1").replace(/\.(?=$|×)/, "");

/**
 * Two decimals without the leading zero, as papers write probabilities; <.01 and >.99 where rounding would give 0 or 1.
 * @param {number} value
 */
export function probability(value) {
  if (value > 0 && value < 0.005) return "<.01";
  if (value < 1 && value >= 0.995) return ">.99";
  return value.toFixed(2).replace(/^0/, "");
}

/**
 * Two decimals, −1.00 … 1.00; never a minus zero.
 * @param {number} value
 */
export const correlation = (value) => minus((Math.round(100 * value) / 100 || 0).toFixed(2));

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/**
 * How long something took or will take, from seconds: 0.42 s, 12.3 s, 75 s, 2 min, 1.5 h.
 * @param {number} value
 */
export function duration(value) {
  if (Number.isInteger(value) && value < 100) return `${value} s`;
  if (value < 10) return `${value.toFixed(2)} s`;
  if (value < MINUTE) return `${value.toFixed(1)} s`;
  if (value < 100) return `${Math.round(value)} s`;
  return value < 1.5 * HOUR ? `${Math.round(value / MINUTE)} min` : `${Number((value / HOUR).toFixed(1))} h`;
}

/**
 * Without its sign: only how much.
 * @param {number} fraction
 */
export function percent(fraction) {
  const value = 100 * Math.abs(fraction);
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} %`;
}

/**
 * In MiB as the server counts them: whole ones, but one decimal below ten.
 * @param {number} value
 */
export function mebibytes(value) {
  const size = value / 2 ** 20;
  return size < 10 ? size.toFixed(1) : String(Math.round(size));
}

/** @param {number} value */
export const bytes = (value) => `${mebibytes(value)} MiB`;
