// The request that makes an explanation, out of its record: what is not a default, and nothing else.

import { askedInput } from "../state/models.js";
import { originOf } from "../state/picture-origin.js";

const unique = (values) => [...new Set(values)];
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** {method: {parameter: value}} of what differs from the defaults in the method's schema. */
export function optionsOf({ panels }, methods) {
  const options = {};
  for (const { method, parameters } of panels) {
    const declared = methods.find(({ id }) => id === method)?.parameters.properties ?? {};
    const changed = Object.entries(parameters).filter(([name, value]) => name in declared && !same(value, declared[name].default));
    if (changed.length) options[method] = Object.fromEntries(changed);
  }
  return options;
}

/** Classes that were asked for; none where each model explains its own top class alone. */
function targetsOf({ panels, inputs }) {
  const targeted = panels.filter(({ target }) => target);
  const top = new Map(inputs.map(({ model, predictions }) => [model, predictions[0].index]));
  if (targeted.every(({ model, target }) => target.index === top.get(model))) return [];
  const classes = unique(targeted.map(({ target }) => target.index));
  const models = unique(targeted.map(({ model }) => model));
  const everywhere = (index) => models.every((model) => targeted.some((panel) => panel.model === model && panel.target.index === index));
  // A class that is explained of some models only is there as their top class.
  const common = classes.filter(everywhere);
  return common.length < classes.length ? ["top", ...common] : classes;
}

function methodsOf({ panels }, methods) {
  const asked = unique(panels.map(({ method }) => method));
  const usual = methods.filter((method) => method.default).map(({ id }) => id);
  return same([...asked].sort(), usual.sort()) ? [] : asked;
}

/** What was asked of the inputs, where that is not the models' own way. */
function inputOf({ inputs }, models) {
  const asked = inputs.map((input) => [input, models.find(({ id }) => id === input.model)]).filter(([, own]) => own).map(([input, own]) => askedInput(input, own));
  return { fit: asked.find(({ fit }) => fit)?.fit, size: asked.find(({ size }) => size)?.size };
}

/** [[field, value], …] of POST /explanations. `source`: ["sample", id], ["image", file name] or ["from", id]. */
export function requestOf(record, { models, methods, source }) {
  const { fit, size } = inputOf(record, models.models);
  const options = optionsOf(record, methods);
  const against = record.panels.find((panel) => panel.against)?.against;
  return [
    source,
    ...unique(record.panels.map(({ model }) => model)).map((model) => ["model", model]),
    ...methodsOf(record, methods).map((method) => ["method", method]),
    ...targetsOf(record).map((index) => ["target", index]),
    ...(against ? [["against", against.index]] : []),
    ...(record.score === "logit" ? [] : [["score", record.score]]),
    ...(Object.keys(options).length ? [["options", options]] : []),
    ...(record.seed ? [["seed", record.seed]] : []),
    ...(fit ? [["fit", fit]] : []),
    ...(size ? [["size", size]] : []),
  ];
}

/** As a field of the request; where nothing else is known, the explanation itself has the picture. */
export function sourceOf(state) {
  const { sample, file } = originOf(state);
  if (sample) return ["sample", sample];
  return file ? ["image", file] : ["from", state.id];
}
