// Codecs write one value of the page's state into the URL and read it back. `parse` returns undefined for invalid text.

/** @typedef {{ format: (value: any) => string | null, parse: (text: string) => any }} Codec `format` gives null for what is too long for an address. */

const NUMBER = /^-?\d+(\.\d+)?(e-?\d+)?$/i;

/**
 * A number rounded to `digits` decimals, without trailing zeros.
 * @param {number} value
 * @param {number} digits
 */
const rounded = (value, digits) => String(Number(value.toFixed(digits)));

/**
 * A number within a range.
 * @param {{ min?: number, max?: number, digits?: number }} range
 * @returns {Codec}
 */
export const number = ({ min = -Infinity, max = Infinity, digits = 4 } = {}) => ({
  format: (value) => rounded(value, digits),
  parse: (text) => {
    const value = NUMBER.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : undefined;
  },
});

/**
 * One of these texts.
 * @param {string[]} values
 * @returns {Codec}
 */
export const oneOf = (values) => ({
  format: String,
  parse: (text) => (values.includes(text) ? text : undefined),
});

/**
 * An id or another single word.
 * @type {Codec}
 */
export const word = {
  format: String,
  parse: (text) => (/^[\w.:-]{1,200}$/.test(text) ? text : undefined),
};

/**
 * A row of the grid, {model, target}, as model/class; null is written as an empty model, or as the class «top».
 * @type {Codec}
 */
export const row = {
  format: ({ model, target }) => `${model ?? ""}/${target ?? "top"}`,
  parse: (text) => {
    const [, model, target] = /^([^\s,]{0,200})\/(\d{1,9}|top)$/.exec(text) ?? [];
    return target === undefined ? undefined : { model: model || null, target: target === "top" ? null : Number(target) };
  },
};

/**
 * A list with commas between its values, exactly `count` of them if that is given.
 * @param {Codec} codec
 * @param {number | null} count
 * @returns {Codec}
 */
export const list = (codec, count = null) => ({
  format: (values) => values.map(codec.format).join(","),
  parse: (text) => {
    const values = text.split(",").map(codec.parse);
    return values.includes(undefined) || values.length !== (count ?? values.length) ? undefined : values;
  },
});

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const MOST_CELLS = 4_000_000;
const MOST_TEXT = 8000; // characters of a mask's runs

/**
 * A whole number in characters of five bits each, the lowest first; a sixth bit says that more follow.
 * @param {number} value
 * @returns {string}
 */
const digitsOf = (value) => (value < 32 ? DIGITS[value] : DIGITS[32 + (value % 32)] + digitsOf(Math.floor(value / 32)));

/** @param {string} text */
function numbersOf(text) {
  const values = /** @type {number[]} */ ([]);
  let [value, scale] = [0, 1];
  for (const character of text) {
    const digit = DIGITS.indexOf(character);
    value += (digit % 32) * scale;
    scale *= 32;
    if (digit >= 32) continue;
    values.push(value);
    [value, scale] = [0, 1];
  }
  return scale === 1 ? values : []; // else its last number is cut
}

/**
 * A mask as WIDTHxHEIGHT:x0,y0,x1,y1:RUNS. One that would make an address of more than MOST_TEXT characters is left out.
 * @type {Codec}
 */
export const mask = {
  format: ({ width, height, place, runs }) => {
    const text = runs.map(digitsOf).join("");
    return text.length > MOST_TEXT ? null : `${width}x${height}:${place.map((/** @type {number} */ at) => rounded(at, 2)).join(",")}:${text}`;
  },
  parse: (text) => {
    const [, width, height, sides, digits] = /^(\d{1,5})x(\d{1,5}):([-\d.,]{7,60}):([\w-]{1,8000})$/.exec(text) ?? [];
    if (!digits) return undefined;
    const place = list(number(), 4).parse(sides);
    const cells = Number(width) * Number(height);
    const runs = numbersOf(digits);
    const fits = cells > 0 && cells <= MOST_CELLS && runs.length > 1 && runs.reduce((sum, run) => sum + run, 0) === cells;
    return fits && place && place[2] > place[0] && place[3] > place[1] ? { width: Number(width), height: Number(height), place, runs } : undefined;
  },
};
