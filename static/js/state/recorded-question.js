// What a recorded explanation was asked for, read back from its record.

import { emptyAsk } from "./initial.js";
import { methodOf } from "./methods.js";
import { askedInput, modelOf } from "./models.js";

const unique = (values) => [...new Set(values)];

/** The classes asked for, null for each model's top one. */
function targetsOf(panels, inputs) {
  const named = new Map(panels.filter(({ target }) => target).map(({ target }) => [target.index, target]));
  const rows = unique(panels.map(({ model }) => model)).map((model) => {
    const classes = unique(panels.filter((panel) => panel.model === model && panel.target).map(({ target }) => target.index));
    return { classes, top: inputs.get(model)?.predictions[0].index };
  }).filter(({ classes }) => classes.length);
  const everywhere = (index) => rows.every(({ classes }) => classes.includes(index));
  // A class that is explained of one model only is there as that model's top class; so is the only one.
  const common = [...named.keys()].filter((index) => everywhere(index) && !(named.size === 1 && rows[0].top === index));
  const top = common.length < Math.max(0, ...rows.map(({ classes }) => classes.length));
  const targets = common.map((index) => named.get(index));
  return top && targets.length ? [null, ...targets] : targets;
}

/** The question, with every parameter that a method was given. */
export function askOf({ panels, score, seed }, inputs) {
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

/** The parameters of a method that differ from its defaults. */
export function setBy(method, values) {
  const { properties = {} } = methodOf(method)?.parameters ?? {};
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== properties[name]?.default));
}

/** {method: {parameter: value}} without what is the default; needs the methods to be known. */
export function withoutDefaults(options) {
  const own = Object.entries(options).map(([method, values]) => [method, setBy(method, values)]);
  return Object.fromEntries(own.filter(([, values]) => Object.keys(values).length));
}

/** {fit, size} as they were asked for, where that is not the model's own way; nothing while the models are not known. */
export function inputAsked(inputs) {
  const input = [...inputs.values()].find(({ model }) => modelOf(model));
  return input ? askedInput(input, modelOf(input.model)) : null;
}
