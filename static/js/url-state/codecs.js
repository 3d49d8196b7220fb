// How one value is written in an address and read from it: {format(value), parse(text)}; parse gives undefined for what it cannot read.

/** @typedef {{ format: (value: any) => string, parse: (text: string) => any }} Codec */

const NUMBER = /^-?\d+(\.\d+)?(e-?\d+)?$/i;

/**
 * @param {number} value
 * @param {number} digits
 */
const short = (value, digits) => String(Number(value.toFixed(digits)));

/**
 * @param {{ min?: number, max?: number, digits?: number }} range
 * @returns {Codec}
 */
export const number = ({ min = -Infinity, max = Infinity, digits = 4 } = {}) => ({
  format: (value) => short(value, digits),
  parse: (text) => {
    const value = NUMBER.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : undefined;
  },
});

/**
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
 * The key of a row, as model/class: {model, target}.
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
 * Several of the same kind, `count` of them where that is given; in the address with commas between.
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
