// How exact the maps are: quick, good or exact, as the parameters that each method has for it.

import { changedParameters } from "./recorded-question.js";
import { methodOf } from "./methods.js";
import { methodsOf } from "./rows.js";

/** @import { Options, State } from "./types.js" */

export const QUALITIES = ["quick", "good", "exact"];

/** Every method as it is by itself. */
export const STANDARD = "standard";

/**
 * The parameters that any quality of a method sets, and their values at this one; standard: the defaults.
 * @param {string} method
 * @param {string} quality
 * @returns {Record<string, any>}
 */
function valuesAt(method, quality) {
  const { qualities = {}, parameters } = methodOf(method) ?? {};
  const names = new Set(Object.values(qualities).flatMap((values) => Object.keys(values)));
  const defaults = Object.fromEntries([...names].map((name) => [name, parameters?.properties?.[name]?.default]));
  return { ...defaults, ...qualities[quality] };
}

/**
 * The options with what a quality sets in every method; the other parameters stay as they are.
 * @param {State} state
 * @param {string} quality
 * @returns {Options}
 */
export function optionsAt({ ask: { options }, methods }, quality) {
  const all = (methods ?? []).map(({ id }) => /** @type {const} */ ([id, changedParameters(id, { ...options[id], ...valuesAt(id, quality) })]));
  return Object.fromEntries(all.filter(([, values]) => Object.keys(values).length));
}

/**
 * The quality of the methods in the grid; null where they have values of their own.
 * @param {State} state
 */
export function qualityOf(state) {
  const { options } = state.ask;
  return [STANDARD, ...QUALITIES].find((quality) => methodsOf(state).every((method) => {
    const asked = { ...valuesAt(method, STANDARD), ...options[method] };
    return Object.entries(valuesAt(method, quality)).every(([name, value]) => asked[name] === value);
  })) ?? null;
}
