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

/** @param {number} value */
export function seconds(value) {
  return value < 10 ? `${value.toFixed(2)} s` : `${value.toFixed(1)} s`;
}

/** @param {number} fraction */
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
