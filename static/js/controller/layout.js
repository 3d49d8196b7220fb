// What is done to rows and columns: added, removed, replaced, moved, hidden.

import { placePanels, setRow } from "../state/actions.js";
import { everyPanel } from "../state/panels.js";
import { currentRow, methodsOf, moved, rowKey, rowsOf, sameRow, shownMethods, shownRows, targetsOf } from "../state/rows.js";
import { store } from "../state/store.js";
import { explainAgain, remember, showArranged } from "./controller.js";

const without = (items, item) => items.filter((other) => other !== item);
const same = (one, other) => one?.index === other?.index;

/** The models that the question names; the default one by its own id. */
const models = () => [...new Set(rowsOf(store.state).map(({ model }) => model))];

function withoutLayers(options) {
  const entries = Object.entries(options).map(([method, { layer, ...rest }]) => [method, rest]);
  return Object.fromEntries(entries.filter(([, rest]) => Object.keys(rest).length));
}

/** The layout with the keys of rows that are now others. */
function renamed({ rows, hiddenRows, ...rest }, rename) {
  return { ...rest, rows: rows.map(rename), hiddenRows: hiddenRows.map(rename) };
}

/** The layout with these rows shown. */
function unhidden({ hiddenRows, ...rest }, belongs) {
  return { ...rest, hiddenRows: hiddenRows.filter((key) => !belongs(key)) };
}

export const addMethod = (method) => explainAgain({ methods: [...methodsOf(store.state), method] });

export function addModel(model) {
  const { ask, layout } = store.state;
  const next = { layout: unhidden(layout, (key) => key.model === model), row: rowKey(model, targetsOf(ask)[0]) };
  explainAgain({ models: [...new Set([...models(), model])] }, next);
}

export function addTarget(target) {
  const { ask, layout } = store.state;
  const targets = targetsOf(ask);
  const there = targets.some((other) => other && same(other, target));
  const next = { layout: unhidden(layout, (key) => key.target === target.index), row: rowKey(currentRow(store.state).model, target) };
  explainAgain({ targets: there ? targets : [...targets, target] }, next);
}

/** Explains another class in the place of the current row's. */
export function askTarget(target) {
  const { ask, layout } = store.state;
  const row = currentRow(store.state);
  const targets = targetsOf(ask).map((other) => (same(other, row.target) ? target : other));
  const unique = targets.filter((other, place) => targets.findIndex((first) => same(first, other)) === place);
  const rename = (key) => (key.target === row.key.target ? { ...key, target: target.index } : key);
  explainAgain({ targets: unique }, { layout: renamed(layout, rename), row: rowKey(row.model, target) });
}

/** Asks another model in the place of the current row's; layers are named by the model that has them. */
export function askModel(model) {
  const { ask, layout } = store.state;
  const row = currentRow(store.state);
  const all = [...new Set(models().map((other) => (other === row.model ? model : other)))];
  const rename = (key) => (key.model === row.model ? { ...key, model } : key);
  explainAgain({ models: all, options: withoutLayers(ask.options) }, { layout: renamed(layout, rename), row: rowKey(model, row.target) });
}

export const removeMethod = (method) => explainAgain({ methods: without(methodsOf(store.state), method) });

export const removeModel = (model) => explainAgain({ models: without(models(), model) });

export const removeTarget = (target) => explainAgain({ targets: targetsOf(store.state.ask).filter((other) => !same(other, target)) });

/** Makes a row the one that picture, predictions and question belong to. */
export function chooseRow(row) {
  setRow(row);
  remember();
}

function arrange(patch) {
  placePanels(everyPanel(), patch);
  remember();
}

export function moveMethod(method, by) {
  const { ask } = store.state;
  arrange({ ask: { ...ask, methods: moved(methodsOf(store.state), method, by, shownMethods(store.state)) } });
}

export function moveRow(key, by) {
  const { layout } = store.state;
  const keys = (rows) => rows.map((row) => row.key);
  arrange({ layout: { ...layout, rows: moved(keys(rowsOf(store.state)), key, by, keys(shownRows(store.state)), sameRow) } });
}

export function hideMethod(method) {
  const { layout } = store.state;
  arrange({ layout: { ...layout, hiddenMethods: [...layout.hiddenMethods, method] } });
}

export function hideRow(key) {
  const { layout } = store.state;
  arrange({ layout: { ...layout, hiddenRows: [...layout.hiddenRows, key] } });
}

export function showMethod(method) {
  const { layout } = store.state;
  showArranged({ ...layout, hiddenMethods: without(layout.hiddenMethods, method) });
}

export function showRow(key) {
  const { layout } = store.state;
  showArranged({ ...layout, hiddenRows: layout.hiddenRows.filter((other) => !sameRow(other, key)) });
}
