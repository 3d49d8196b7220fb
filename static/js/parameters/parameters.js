// A method's parameters, as its JSON Schema declares them: read, checked, priced, and computed with.

import * as api from "../api/client.js";
import { explainAgain } from "../controller/controller.js";
import { t, textOr } from "../shared/texts.js";
import { methodOf, parameterTitle } from "../state/methods.js";
import { changedParameters } from "../state/recorded-question.js";
import { shownRows } from "../state/rows.js";
import { store } from "../state/store.js";

/**
 * @import { EstimateBody } from "../api/types.js"
 * @import { Options } from "../state/types.js"
 */

/**
 * What a field needs to know of a parameter.
 * @typedef {object} Parameter
 * @property {string} key - names its field on the page
 * @property {string} name
 * @property {string} kind - integer, number, boolean, choice, layer or text
 * @property {string} title
 * @property {string} help
 * @property {any} initial - the default
 * @property {any[]} choices
 * @property {number} [low]
 * @property {number} [high]
 * @property {boolean} openLow - the bound does not belong to the range: it is told as "more than 0"
 * @property {boolean} openHigh
 * @property {number} [length]
 */

/**
 * A method's parameters.
 * @param {string} method
 * @returns {Parameter[]}
 */
export function parametersOf(method) {
  /** @type {(name: string, fallback?: string) => string} */
  const titleFor = (name, fallback) => textOr(`learn.parameter.${method}.${name}.title`, parameterTitle(name, fallback));
  return declared(methodOf(method)?.parameters, titleFor, (name, fallback) => textOr(`learn.parameter.${method}.${name}`, fallback));
}

/**
 * The same of any JSON Schema, with the words that the page has for its parameters.
 * @param {{ properties?: Record<string, any> } | undefined} schema
 * @param {(name: string, fallback?: string) => string} titleOf
 * @param {(name: string, fallback: string) => string} helpOf
 * @returns {Parameter[]}
 */
export function declared({ properties = {} } = {}, titleOf, helpOf) {
  return Object.entries(properties).map(([name, schema]) => ({
    key: name,
    name,
    kind: kindOf(name, schema),
    title: titleOf(name, schema.title),
    help: helpOf(name, schema.description ?? ""),
    initial: schema.default,
    choices: schema.enum ?? [],
    low: schema.minimum ?? schema.exclusiveMinimum,
    high: schema.maximum ?? schema.exclusiveMaximum,
    openLow: schema.exclusiveMinimum !== undefined,
    openHigh: schema.exclusiveMaximum !== undefined,
    length: schema.maxLength,
  }));
}

/**
 * @param {string} name
 * @param {Record<string, any>} schema
 */
function kindOf(name, { type, enum: choices }) {
  if (choices) return "choice";
  if (type === "string") return name === "layer" ? "layer" : "text";
  return type;
}

/**
 * The bounds in words; null where there are none.
 * @param {Parameter} parameter
 */
export function boundsOf({ low, high, openLow, openHigh }) {
  if (low === undefined && high === undefined) return null;
  if (high === undefined) return t(openLow ? "parameter.above" : "parameter.from", { low });
  if (low === undefined) return t(openHigh ? "parameter.below" : "parameter.to", { high });
  return t(openLow ? "parameter.aboveTo" : "parameter.range", { low, high });
}

/**
 * What is wrong with a value, in words; null where nothing is.
 * @param {Parameter} parameter
 * @param {any} value
 */
export function complaintOf(parameter, value) {
  const { kind, low, high, openLow, openHigh } = parameter;
  if (kind !== "integer" && kind !== "number") return null;
  if (!Number.isFinite(value)) return t("parameter.number");
  if (kind === "integer" && !Number.isInteger(value)) return t("parameter.integer");
  const under = low !== undefined && (openLow ? value <= low : value < low);
  const over = high !== undefined && (openHigh ? value >= high : value > high);
  return under || over ? t("parameter.outside", { bounds: boundsOf(parameter) }) : null;
}

/**
 * The values that a method is computed with now.
 * @param {string} method
 * @returns {Record<string, any>}
 */
export function valuesOf(method) {
  const set = store.state.ask.options[method] ?? {};
  return Object.fromEntries(parametersOf(method).map(({ name, initial }) => [name, set[name] ?? initial]));
}

/**
 * @param {Options} options
 * @param {string} method
 * @param {Record<string, any>} values
 * @returns {Options}
 */
const optionsWith = (options, method, values) => {
  const { [method]: before, ...others } = options;
  const set = changedParameters(method, values);
  return Object.keys(set).length ? { ...others, [method]: set } : others;
};

/**
 * {maps, evaluations, seconds} of one method for all rows that are shown; seconds is null where a model has no known throughput yet.
 * @param {string} method
 * @param {Record<string, any>} values
 * @param {AbortSignal} signal
 */
export async function costOf(method, values, signal) {
  const rows = shownRows(store.state);
  const { size } = store.state.ask;
  /** @type {Map<string | null, EstimateBody>} */
  const prices = new Map();
  for (const model of new Set(rows.map((row) => row.model))) {
    /** @type {api.Fields} */
    const fields = [["model", model], ["method", method], ["options", JSON.stringify({ [method]: values })]];
    if (size) fields.push(["size", size]);
    prices.set(model, (await api.estimates(fields, { signal }))[0]);
  }
  let evaluations = 0;
  /** @type {number | null} */
  let seconds = 0;
  for (const { model } of rows) {
    const price = prices.get(model);
    evaluations += price?.gradient_evaluations ?? 0;
    seconds = seconds === null || !price || price.seconds === null ? null : seconds + price.seconds;
  }
  return { maps: rows.length, evaluations, seconds };
}

/**
 * Computes one method's maps with these values; the others answer the same question as before and stay.
 * @param {string} method
 * @param {Record<string, any>} values
 */
export function computeWith(method, values) {
  const { options } = store.state.ask;
  const next = optionsWith(options, method, values);
  if (JSON.stringify(next[method]) !== JSON.stringify(options[method])) explainAgain({ options: next });
}

/**
 * @param {{ method: string }} panel
 * @param {string} layer
 */
export const chooseLayer = ({ method }, layer) => computeWith(method, { ...valuesOf(method), layer });
