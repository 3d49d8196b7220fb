// The request that makes an explanation, out of its record: what is not a default, and nothing else.

import { isUploaded } from "../shared/uploaded.js";
import { askedInput } from "../state/models.js";
import { originOf } from "../state/picture-origin.js";

/**
 * @import { Explanation, MethodBody, ModelBody, Models } from "../api/types.js"
 * @import { Options, State } from "../state/types.js"
 */

/** @type {<T>(values: T[]) => T[]} */
const unique = (values) => [...new Set(values)];
/** @type {(a: any, b: any) => boolean} */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/**
 * {method: {parameter: value}} of what differs from the defaults in the method's schema.
 * @param {Pick<Explanation, "panels">} record
 * @param {MethodBody[]} methods
 * @returns {Options}
 */
export function optionsOf({ panels }, methods) {
  /** @type {Options} */
  const options = {};
  for (const { method, parameters } of panels) {
    const declared = methods.find(({ id }) => id === method)?.parameters.properties ?? {};
    const changed = Object.entries(parameters).filter(([name, value]) => name in declared && !same(value, declared[name].default));
    if (changed.length) options[method] = Object.fromEntries(changed);
  }
  return options;
}

/**
 * Classes that were asked for; none where each model explains its own top class alone.
 * @param {Pick<Explanation, "panels" | "inputs">} record
 */
function targetsOf({ panels, inputs }) {
  const targeted = panels.flatMap(({ model, target }) => (target ? [{ model, target }] : []));
  const top = new Map(inputs.map(({ model, predictions }) => [model, predictions[0].index]));
  if (targeted.every(({ model, target }) => target.index === top.get(model))) return [];
  const classes = unique(targeted.map(({ target }) => target.index));
  const models = unique(targeted.map(({ model }) => model));
  /** @param {number} index */
  const everywhere = (index) => models.every((model) => targeted.some((panel) => panel.model === model && panel.target.index === index));
  // A class that only some models explain is there because it is their top class: "top" stands for it.
  const common = classes.filter(everywhere);
  return common.length < classes.length ? ["top", ...common] : classes;
}

/**
 * @param {Pick<Explanation, "panels">} record
 * @param {MethodBody[]} methods
 */
function methodsOf({ panels }, methods) {
  const asked = unique(panels.map(({ method }) => method)).filter((method) => !isUploaded(method));
  const usual = methods.filter((method) => method.default).map(({ id }) => id);
  return same([...asked].sort(), usual.sort()) ? [] : asked;
}

/**
 * What was asked of the inputs, where that is not the models' own way.
 * @param {Pick<Explanation, "inputs">} record
 * @param {ModelBody[]} models
 */
function inputOf({ inputs }, models) {
  const asked = inputs.flatMap((input) => {
    const own = models.find(({ id }) => id === input.model);
    return own ? askedInput(input, own) : [];
  });
  return { fit: asked.find(({ fit }) => fit)?.fit, size: asked.find(({ size }) => size)?.size };
}

/**
 * [[field, value], …] of POST /explanations. `source`: ["sample", id], ["image", file name] or ["from", id].
 * @param {Explanation} record
 * @param {{ models: Models | null, methods: MethodBody[] | null, source: [string, any] }} known
 * @returns {[string, any][]}
 */
export function requestOf(record, { models, methods, source }) {
  const { fit, size } = inputOf(record, models?.models ?? []);
  const known = methods ?? [];
  const options = optionsOf(record, known);
  const against = record.panels.find((panel) => panel.against)?.against;
  const fields = [source];
  for (const model of unique(record.panels.map(({ model: id }) => id))) fields.push(["model", model]);
  for (const method of methodsOf(record, known)) fields.push(["method", method]);
  for (const index of targetsOf(record)) fields.push(["target", index]);
  if (against) fields.push(["against", against.index]);
  if (record.score !== "logit") fields.push(["score", record.score]);
  if (Object.keys(options).length) fields.push(["options", options]);
  if (record.seed) fields.push(["seed", record.seed]);
  if (fit) fields.push(["fit", fit]);
  if (size) fields.push(["size", size]);
  return fields;
}

/**
 * The picture as a field of the request; if neither sample nor file is known, the stored explanation's picture.
 * @param {State} state
 * @returns {[string, any]}
 */
export function sourceOf(state) {
  const { sample, file } = originOf(state);
  if (sample) return ["sample", sample];
  return file ? ["image", file] : ["from", state.id];
}
