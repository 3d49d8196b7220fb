// The rows and columns of the grid: which there are, in which order, and which are shown. Pure functions of the state.

import { DEFAULT_METHODS } from "./methods.js";

const unique = (values) => [...new Set(values)];

/** What a row is known by, whatever the picture: a model, and a class by its index or as the model's top one. */
export const rowKey = (model, target) => `${model ?? ""} ${target ? target.index : "top"}`;

export const targetsOf = ({ targets }) => (targets.length ? targets : [null]);

const modelsOf = ({ ask, models }) => (ask.models.length ? ask.models : [models?.default ?? null]);

export const methodsOf = ({ ask }) => ask.methods ?? DEFAULT_METHODS;

/** The key of the row that a panel stands in. */
export function keyOf({ model, target }, ask) {
  return rowKey(model, ask.targets.find((asked) => asked && asked.index === target?.index));
}

/** Those that `order` names come first, in its order. */
function ordered(keys, order) {
  const place = (key) => (order.includes(key) ? order.indexOf(key) : order.length);
  return keys.toSorted((one, other) => place(one) - place(other));
}

/** All rows of the question, {key, model, target}; target is null for the model's top class. */
export function rowsOf(state) {
  const { ask, layout, inputs } = state;
  // A top class that is asked for by its index too is one row.
  const twice = (model, target) => !target && ask.targets.some((asked) => asked && asked.index === inputs.get(model)?.predictions[0].index);
  const rows = modelsOf(state)
    .flatMap((model) => targetsOf(ask).map((target) => ({ key: rowKey(model, target), model, target })))
    .filter(({ model, target }) => !twice(model, target));
  const keys = ordered(rows.map(({ key }) => key), layout.rows);
  return keys.map((key) => rows.find((row) => row.key === key));
}

export const shownRows = (state) => rowsOf(state).filter(({ key }) => !state.layout.hiddenRows.includes(key));

export const shownMethods = (state) => methodsOf(state).filter((method) => !state.layout.hiddenMethods.includes(method));

export const hiddenRows = (state) => rowsOf(state).filter(({ key }) => state.layout.hiddenRows.includes(key));

export const hiddenMethods = (state) => methodsOf(state).filter((method) => state.layout.hiddenMethods.includes(method));

/** The row that picture, predictions and question belong to. */
export function currentRow(state) {
  const rows = shownRows(state);
  return rows.find(({ key }) => key === state.row) ?? rows[0] ?? rowsOf(state)[0];
}

/** What has to be asked of the server: a model, class or method of which nothing is shown costs nothing. */
export function requested(state) {
  const { ask } = state;
  const rows = shownRows(state);
  const shown = new Set(rows.map(({ target }) => target?.index));
  return {
    models: ask.models.filter((model) => rows.some((row) => row.model === model)),
    targets: ask.targets.filter((target) => shown.has(target?.index)),
    methods: ask.methods ? shownMethods(state) : [],
  };
}

/** {panels, aside}: what is shown, row by row; and what is hidden. */
export function arranged(all, state) {
  const { ask, layout } = state;
  const rows = unique([...rowsOf(state).map(({ key }) => key), ...all.map((panel) => keyOf(panel, ask))]);
  const methods = unique([...methodsOf(state), ...all.map(({ method }) => method)]);
  const place = (panel) => rows.indexOf(keyOf(panel, ask)) * methods.length + methods.indexOf(panel.method);
  const hidden = (panel) => layout.hiddenRows.includes(keyOf(panel, ask)) || layout.hiddenMethods.includes(panel.method);
  const sorted = all.toSorted((one, other) => place(one) - place(other));
  return { panels: sorted.filter((panel) => !hidden(panel)), aside: sorted.filter(hidden) };
}

/** The panels that are shown, as rows: {key, model, target, panels}. */
export function filledRows({ panels, ask }) {
  const rows = new Map();
  for (const panel of panels) {
    const key = keyOf(panel, ask);
    if (!rows.has(key)) rows.set(key, { key, model: panel.model, target: panel.target, panels: [] });
    rows.get(key).panels.push(panel);
  }
  return [...rows.values()];
}

/** The list with the item moved by one place, over those that are not shown. */
export function moved(items, item, by, shown = items) {
  const neighbour = shown[shown.indexOf(item) + by];
  if (neighbour === undefined) return items;
  const rest = items.filter((other) => other !== item);
  rest.splice(rest.indexOf(neighbour) + (by > 0 ? 1 : 0), 0, item);
  return rest;
}
