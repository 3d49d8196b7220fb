// A method's parameters, as its JSON Schema declares them: read, checked, priced, and computed with.

import * as api from "../api/client.js";
import { explainAgain } from "../controller/controller.js";
import { t, textOr } from "../shared/texts.js";
import { methodOf, parameterTitle } from "../state/methods.js";
import { setBy } from "../state/recorded-question.js";
import { shownRows } from "../state/rows.js";
import { store } from "../state/store.js";

/** [{name, kind, title, help, ...}]: what a field needs to know; kind is integer, number, boolean, choice, layer or text. */
export function parametersOf(method) {
  const titleFor = (name, words) => textOr(`learn.parameter.${method}.${name}.title`, parameterTitle(name, words));
  return declared(methodOf(method)?.parameters, titleFor, (name, words) => textOr(`learn.parameter.${method}.${name}`, words));
}

/** The same of any JSON Schema, with the words that the page has for its parameters. */
export function declared({ properties = {} } = {}, titleOf, helpOf) {
  return Object.entries(properties).map(([name, schema]) => ({
    key: name, // names its field on the page
    name,
    kind: kindOf(name, schema),
    title: titleOf(name, schema.title),
    help: helpOf(name, schema.description ?? ""),
    initial: schema.default,
    choices: schema.enum ?? [],
    low: schema.minimum ?? schema.exclusiveMinimum,
    high: schema.maximum ?? schema.exclusiveMaximum,
    // A bound that does not belong to the range is told as "more than 0".
    openLow: schema.exclusiveMinimum !== undefined,
    openHigh: schema.exclusiveMaximum !== undefined,
    length: schema.maxLength,
  }));
}

function kindOf(name, { type, enum: choices }) {
  if (choices) return "choice";
  if (type === "string") return name === "layer" ? "layer" : "text";
  return type;
}

/** The bounds in words; null where there are none. */
export function boundsOf({ low, high, openLow, openHigh }) {
  if (low === undefined && high === undefined) return null;
  if (high === undefined) return t(openLow ? "parameter.above" : "parameter.from", { low });
  if (low === undefined) return t(openHigh ? "parameter.below" : "parameter.to", { high });
  return t(openLow ? "parameter.aboveTo" : "parameter.range", { low, high });
}

/** What is wrong with a value, in words; null where nothing is. */
export function complaintOf(parameter, value) {
  const { kind, low, high, openLow, openHigh } = parameter;
  if (kind !== "integer" && kind !== "number") return null;
  if (!Number.isFinite(value)) return t("parameter.number");
  if (kind === "integer" && !Number.isInteger(value)) return t("parameter.integer");
  const under = low !== undefined && (openLow ? value <= low : value < low);
  const over = high !== undefined && (openHigh ? value >= high : value > high);
  return under || over ? t("parameter.outside", { bounds: boundsOf(parameter) }) : null;
}

/** The values that a method is computed with now. */
export function valuesOf(method) {
  const set = store.state.ask.options[method] ?? {};
  return Object.fromEntries(parametersOf(method).map(({ name, initial }) => [name, set[name] ?? initial]));
}

const optionsWith = (options, method, values) => {
  const { [method]: before, ...others } = options;
  const set = setBy(method, values);
  return Object.keys(set).length ? { ...others, [method]: set } : others;
};

/** {maps, evaluations, seconds} of one method for all rows that are shown; seconds is null where a model has no pace yet. */
export async function priceOf(method, values, signal) {
  const rows = shownRows(store.state);
  const { size } = store.state.ask;
  const prices = new Map();
  for (const model of new Set(rows.map((row) => row.model))) {
    const fields = [["model", model], ["method", method], ["options", JSON.stringify({ [method]: values })]];
    if (size) fields.push(["size", size]);
    prices.set(model, (await api.estimates(fields, { signal }))[0]);
  }
  const all = rows.map(({ model }) => prices.get(model));
  const seconds = all.some((price) => price.seconds === null) ? null : all.reduce((sum, price) => sum + price.seconds, 0);
  return { maps: rows.length, evaluations: all.reduce((sum, price) => sum + price.gradient_evaluations, 0), seconds };
}

/** Computes one method's maps with these values; the others answer the same question as before and stay. */
export function computeWith(method, values) {
  const { options } = store.state.ask;
  const next = optionsWith(options, method, values);
  if (JSON.stringify(next[method]) !== JSON.stringify(options[method])) explainAgain({ options: next });
}

export const chooseLayer = ({ method }, layer) => computeWith(method, { ...valuesOf(method), layer });
