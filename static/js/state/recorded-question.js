// What a recorded explanation was asked for, read back from its record.

import { isUploaded } from "../shared/uploaded.js";
import { emptyAsk } from "./initial.js";
import { methodOf } from "./methods.js";
import { askedInput, modelOf } from "./models.js";

/**
 * @import { ClassBody, Explanation, InputBody, PanelBody } from "../api/types.js"
 * @import { Ask, Options } from "./types.js"
 */

/** @type {<T>(values: T[]) => T[]} */
const unique = (values) => [...new Set(values)];

/** @typedef {Pick<PanelBody, "model" | "method" | "target" | "against" | "parameters">} Asked A panel, or one that is missing. */

/**
 * The classes asked for, null for each model's top one.
 * @param {Asked[]} panels
 * @param {Map<string, InputBody>} inputs
 * @returns {(ClassBody | null)[]}
 */
function targetsOf(panels, inputs) {
  const explained = panels.flatMap(({ model, target }) => (target ? [{ model, target }] : []));
  const named = new Map(explained.map(({ target }) => [target.index, target]));
  const rows = unique(explained.map(({ model }) => model)).map((model) => {
    const classes = unique(explained.filter((panel) => panel.model === model).map(({ target }) => target.index));
    return { classes, top: inputs.get(model)?.predictions[0].index };
  });
  // The record does not say which classes were asked for by name. A class that only some models explain must be their top
  // class. If there is one class in all, and it is the top one, it counts as not named.
  const common = [...named.values()].filter(({ index }) => (
    rows.every(({ classes }) => classes.includes(index)) && !(named.size === 1 && rows[0].top === index)));
  const top = common.length < Math.max(0, ...rows.map(({ classes }) => classes.length));
  return top && common.length ? [null, ...common] : common;
}

/**
 * The question, with every parameter that a method was given.
 * @param {Pick<Explanation, "score" | "seed"> & { panels: Asked[] }} record
 * @param {Map<string, InputBody>} inputs
 * @returns {Ask}
 */
export function askOf({ panels: all, score, seed }, inputs) {
  const panels = all.filter(({ method }) => !isUploaded(method));
  return {
    ...emptyAsk(),
    models: unique(panels.map(({ model }) => model)),
    targets: targetsOf(panels, inputs),
    methods: panels.length ? unique(panels.map(({ method }) => method)) : null,
    options: Object.fromEntries(panels.filter(({ parameters }) => Object.keys(parameters).length).map(({ method, parameters }) => [method, parameters])),
    against: panels[0]?.against ?? null,
    score,
    seed,
  };
}

/**
 * The parameters of a method that differ from its defaults.
 * @param {string} method
 * @param {Record<string, any>} values
 * @returns {Record<string, any>}
 */
export function changedParameters(method, values) {
  const { properties = {} } = methodOf(method)?.parameters ?? {};
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== properties[name]?.default));
}

/**
 * {method: {parameter: value}} without what is the default; needs the methods to be known.
 * @param {Options} options
 * @returns {Options}
 */
export function withoutDefaults(options) {
  const own = Object.entries(options).map(([method, values]) => [method, changedParameters(method, values)]);
  return Object.fromEntries(own.filter(([, values]) => Object.keys(values).length));
}

/**
 * {fit, size} that the recorded explanation was asked for, null where they are the model's own;
 * null while the models are not known.
 * @param {Map<string, InputBody>} inputs
 */
export function recordedInput(inputs) {
  for (const input of inputs.values()) {
    const own = modelOf(input.model);
    if (own) return askedInput(input, own);
  }
  return null;
}
