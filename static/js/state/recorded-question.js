// What a recorded explanation was asked for, read back from its record.

import { askedInput, modelOf } from "./models.js";
import { methodOf } from "./methods.js";
import { emptyAsk, store } from "./store.js";

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

/** Parameters of any method without what is the default, once the defaults are known. */
export function withoutDefaults({ ask, methods }) {
  if (!methods) return;
  const options = Object.entries(ask.options).map(([method, values]) => [method, setBy(method, values)]);
  store.set({ ask: { ...ask, options: Object.fromEntries(options.filter(([, values]) => Object.keys(values).length)) } });
}

/** What was asked for of the input is what differs from the model's own way, once that is known. */
export function restoreInput(inputs) {
  const input = [...inputs.values()].find(({ model }) => modelOf(model));
  if (input) store.set({ ask: { ...store.state.ask, ...askedInput(input, modelOf(input.model)) } });
}
