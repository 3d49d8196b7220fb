// Codecs write one value of the page's state into the URL and read it back. `parse` returns undefined for invalid text.

/** @typedef {{ format: (value: any) => string, parse: (text: string) => any }} Codec */

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
