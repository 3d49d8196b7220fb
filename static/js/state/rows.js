// The rows and columns of the grid: which there are, in which order, and which are shown. Pure functions of the state.

import { DEFAULT_METHODS } from "./plugins.js";

/**
 * @import { ClassBody } from "../api/types.js"
 * @import { Ask, AskedClass, RowWithPanels, Panel, Row, RowKey, State } from "./types.js"
 */

/** @type {<T>(values: T[]) => T[]} */
const unique = (values) => [...new Set(values)];

/**
 * The index of a class in a model's list.
 * @param {AskedClass} target
 * @param {string | null | undefined} model
 */
export const indexIn = ({ index, indices }, model) => indices?.[model ?? ""] ?? index;

/**
 * What a row is known by, whatever the picture: {model, target}, a class by its index; null is the model's top one.
 * @param {string | null | undefined} model
 * @param {ClassBody | null | undefined} target
 * @returns {RowKey}
 */
export const rowKey = (model, target) => ({ model: model ?? null, target: target?.index ?? null });

/**
 * @param {RowKey | null | undefined} one
 * @param {RowKey | null | undefined} other
 */
export const sameRow = (one, other) => one?.model === other?.model && one?.target === other?.target;

/**
 * A row's key as text, for what is kept by it.
 * @param {RowKey} key
 */
export const rowId = ({ model, target }) => JSON.stringify([model, target]);

/**
 * @param {RowKey[]} keys
 * @param {RowKey} key
 */
const includesRow = (keys, key) => keys.some((other) => sameRow(other, key));

/** @param {Ask} ask */
export const targetsOf = ({ targets }) => (targets.length ? targets : [null]);

/**
 * @param {State} state
 * @returns {(string | null)[]}
 */
const modelsOf = ({ ask, models }) => (ask.models.length ? ask.models : [models?.default ?? null]);

/** @param {Pick<State, "ask">} state */
export const methodsOf = ({ ask }) => ask.methods ?? DEFAULT_METHODS;

/**
 * The key of the row that a panel stands in.
 * @param {Pick<Panel, "model" | "target">} panel
 * @param {Ask} ask
 */
export function keyOf({ model, target }, ask) {
  return rowKey(model, ask.targets.find((asked) => asked && indexIn(asked, model) === target?.index));
}

/**
 * Where a panel stands: its row and its method.
 * @param {Pick<Panel, "model" | "target" | "method">} panel
 * @param {Pick<State, "ask">} state
 */
export const placeOf = (panel, { ask }) => `${rowId(keyOf(panel, ask))} ${panel.method}`;

/**
 * All rows of the question, {key, model, target}; target is null for the model's top class.
 * @param {State} state
 * @returns {Row[]}
 */
export function rowsOf(state) {
  const { ask, layout, inputs } = state;
  // A top class that is asked for by its index too is one row.
  /** @type {(model: string | null, target: ClassBody | null) => boolean} */
  const twice = (model, target) => !target && ask.targets.some((asked) => asked && indexIn(asked, model) === inputs.get(model)?.predictions[0].index);
  const rows = modelsOf(state)
    .flatMap((model) => targetsOf(ask).map((target) => ({ key: rowKey(model, target), model, target })))
    .filter(({ model, target }) => !twice(model, target));
  // Those that the layout names come first, in its order.
  /** @param {Row} row */
  const positionOf = ({ key }) => {
    const named = layout.rows.findIndex((other) => sameRow(other, key));
    return named < 0 ? layout.rows.length : named;
  };
  return rows.toSorted((one, other) => positionOf(one) - positionOf(other));
}

/** @param {State} state */
export const shownRows = (state) => rowsOf(state).filter(({ key }) => !includesRow(state.layout.hiddenRows, key));

/** @param {State} state */
export const shownMethods = (state) => methodsOf(state).filter((method) => !state.layout.hiddenMethods.includes(method));

/** @param {State} state */
export const hiddenRows = (state) => rowsOf(state).filter(({ key }) => includesRow(state.layout.hiddenRows, key));

/** @param {State} state */
export const hiddenMethods = (state) => methodsOf(state).filter((method) => state.layout.hiddenMethods.includes(method));

/**
 * The row that picture, predictions and question belong to.
 * @param {State} state
 * @returns {Row | undefined}
 */
export function currentRow(state) {
  const rows = shownRows(state);
  return rows.find(({ key }) => sameRow(key, state.row)) ?? rows[0] ?? rowsOf(state)[0];
}

/**
 * What has to be asked of the server: a model, class or method of which nothing is shown costs nothing.
 * @param {State} state
 */
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

/**
 * {panels, hiddenPanels}: what is shown, row by row; and what is hidden.
 * @param {Panel[]} all
 * @param {State} state
 */
export function arranged(all, state) {
  const { ask, layout } = state;
  /** @param {Panel} panel */
  const idOf = (panel) => rowId(keyOf(panel, ask));
  const rows = unique([...rowsOf(state).map(({ key }) => rowId(key)), ...all.map(idOf)]);
  const methods = unique([...methodsOf(state), ...all.map(({ method }) => method)]);
  /** @param {Panel} panel */
  const positionOf = (panel) => rows.indexOf(idOf(panel)) * methods.length + methods.indexOf(panel.method);
  /** @param {Panel} panel */
  const hidden = (panel) => includesRow(layout.hiddenRows, keyOf(panel, ask)) || layout.hiddenMethods.includes(panel.method);
  const sorted = all.toSorted((one, other) => positionOf(one) - positionOf(other));
  return { panels: sorted.filter((panel) => !hidden(panel)), hiddenPanels: sorted.filter(hidden) };
}

/**
 * The panels that are shown, as rows: {key, model, target, panels}.
 * @param {Pick<State, "panels" | "ask">} state
 * @returns {RowWithPanels[]}
 */
export function rowsWithPanels({ panels, ask }) {
  /** @type {Map<string, RowWithPanels>} */
  const rows = new Map();
  for (const panel of panels) {
    const key = keyOf(panel, ask);
    const id = rowId(key);
    /** @type {RowWithPanels} */
    const row = rows.get(id) ?? { key, model: panel.model, target: panel.target, panels: [] };
    row.panels.push(panel);
    rows.set(id, row);
  }
  return [...rows.values()];
}

/**
 * The list with the item moved by one place, over those that are not shown.
 * @template T
 * @param {T[]} items
 * @param {T} item
 * @param {number} by
 * @param {T[]} shown
 * @param {(one: T, other: T) => boolean} same
 */
export function moved(items, item, by, shown = items, same = Object.is) {
  const neighbour = shown[shown.findIndex((other) => same(other, item)) + by];
  if (neighbour === undefined) return items;
  const rest = items.filter((other) => !same(other, item));
  rest.splice(rest.findIndex((other) => same(other, neighbour)) + (by > 0 ? 1 : 0), 0, item);
  return rest;
}
