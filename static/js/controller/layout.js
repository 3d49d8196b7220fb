// What is done to rows and columns: added, removed, replaced, moved, hidden.

import { placePanels, setRow } from "../state/actions.js";
import { allPanels } from "../state/panels.js";
import { currentRow, methodsOf, moved, rowKey, rowsOf, sameRow, shownMethods, shownRows, targetsOf } from "../state/rows.js";
import { store } from "../state/store.js";
import { arrangeAndRequest, explainAgain, updateHistoryEntry } from "./controller.js";
import { planRows } from "./row-plan.js";

/**
 * @import { ClassBody } from "../api/types.js"
 * @import { Layout, Options, RowKey, State } from "../state/types.js"
 * @import { RowPlan } from "./row-plan.js"
 */

/** @type {<T>(items: T[], item: T) => T[]} */
const without = (items, item) => items.filter((other) => other !== item);
/** @type {(one: ClassBody | null | undefined, other: ClassBody | null | undefined) => boolean} */
const same = (one, other) => one?.index === other?.index;

/** The ids of the models in the grid; the default model is among them by its own id. */
const models = () => [...new Set(rowsOf(store.state).flatMap(({ model }) => model ?? []))];

/**
 * @param {Options} options
 * @returns {Options}
 */
function withoutLayers(options) {
  const entries = Object.entries(options).map(([method, { layer, ...rest }]) => [method, rest]);
  return Object.fromEntries(entries.filter(([, rest]) => Object.keys(rest).length));
}

/**
 * The layout, with new keys for rows that explain another class or model now.
 * @param {Layout} layout
 * @param {(key: RowKey) => RowKey} rename
 * @returns {Layout}
 */
function renamed({ rows, hiddenRows, ...rest }, rename) {
  return { ...rest, rows: rows.map(rename), hiddenRows: hiddenRows.map(rename) };
}

/**
 * The layout with these rows shown.
 * @param {Layout} layout
 * @param {(key: RowKey) => boolean} belongs
 * @returns {Layout}
 */
function unhidden({ hiddenRows, ...rest }, belongs) {
  return { ...rest, hiddenRows: hiddenRows.filter((key) => !belongs(key)) };
}

/** @param {string} method */
export const addMethod = (method) => explainAgain({ methods: [...methodsOf(store.state), method] });

/**
 * Adds the rows of a plan, and goes to the one that was chosen.
 * @param {RowPlan} plan
 */
export function addRows({ models: all, targets, row, top }) {
  const { layout } = store.state;
  // A row of the top class that is named now stays where it was.
  /** @param {RowKey} key */
  const rename = (key) => (top && key.target === null ? { ...key, target: top.index } : key);
  explainAgain({ models: all, targets }, { layout: unhidden(renamed(layout, rename), (key) => sameRow(key, row)), row });
}

/**
 * Adds a model, asked about the class of the current row (as `of`, that row's model, numbers it). If a model lacks the
 * class, all are asked about their own top class.
 * @param {string} model
 */
export async function addModel(model) {
  const row = currentRow(store.state);
  const target = row?.target ?? store.state.inputs.get(row?.model)?.predictions[0];
  const { signal } = new AbortController();
  const plan = target ? await planRows({ model, target: { index: target.index, label: target.label }, of: row?.model ?? model, own: false }, signal) : null;
  const fitting = plan && !plan.missing.length ? plan : await planRows({ model, target: null, of: model, own: true }, signal);
  addRows(fitting);
}

/**
 * Explains another class in the place of the current row's.
 * @param {ClassBody} target
 */
export function askTarget(target) {
  const { ask, layout } = store.state;
  const row = currentRow(store.state);
  if (!row) return;
  const targets = targetsOf(ask).map((other) => (same(other, row.target) ? target : other));
  const unique = targets.filter((other, index) => targets.findIndex((first) => same(first, other)) === index);
  /** @param {RowKey} key */
  const rename = (key) => (key.target === row.key.target ? { ...key, target: target.index } : key);
  explainAgain({ targets: unique }, { layout: renamed(layout, rename), row: rowKey(row.model, target) });
}

/**
 * Asks another model in the place of the current row's; layers are named by the model that has them.
 * @param {string} model
 */
export function askModel(model) {
  const { ask, layout } = store.state;
  const row = currentRow(store.state);
  if (!row) return;
  const all = [...new Set(models().map((other) => (other === row.model ? model : other)))];
  /** @param {RowKey} key */
  const rename = (key) => (key.model === row.model ? { ...key, model } : key);
  explainAgain({ models: all, options: withoutLayers(ask.options) }, { layout: renamed(layout, rename), row: rowKey(model, row.target) });
}

/** @param {string} method */
export const removeMethod = (method) => explainAgain({ methods: without(methodsOf(store.state), method) });

/** @param {string} model */
export const removeModel = (model) => explainAgain({ models: without(models(), model) });

/** @param {ClassBody | null} target */
export const removeTarget = (target) => explainAgain({ targets: targetsOf(store.state.ask).filter((other) => !same(other, target)) });

/**
 * Makes a row the one that picture, predictions and question belong to.
 * @param {RowKey} row
 */
export function chooseRow(row) {
  setRow(row);
  updateHistoryEntry();
}

/** @param {Partial<State>} patch */
function arrange(patch) {
  placePanels(allPanels(), patch);
  updateHistoryEntry();
}

/**
 * @param {string} method
 * @param {number} by
 */
export function moveMethod(method, by) {
  const { ask } = store.state;
  arrange({ ask: { ...ask, methods: moved(methodsOf(store.state), method, by, shownMethods(store.state)) } });
}

/**
 * @param {RowKey} key
 * @param {number} by
 */
export function moveRow(key, by) {
  const { layout } = store.state;
  /** @param {{ key: RowKey }[]} rows */
  const keys = (rows) => rows.map((row) => row.key);
  arrange({ layout: { ...layout, rows: moved(keys(rowsOf(store.state)), key, by, keys(shownRows(store.state)), sameRow) } });
}

/** @param {string} method */
export function hideMethod(method) {
  const { layout } = store.state;
  arrange({ layout: { ...layout, hiddenMethods: [...layout.hiddenMethods, method] } });
}

/** @param {RowKey} key */
export function hideRow(key) {
  const { layout } = store.state;
  arrange({ layout: { ...layout, hiddenRows: [...layout.hiddenRows, key] } });
}

/** @param {string} method */
export function showMethod(method) {
  const { layout } = store.state;
  arrangeAndRequest({ ...layout, hiddenMethods: without(layout.hiddenMethods, method) });
}

/** @param {RowKey} key */
export function showRow(key) {
  const { layout } = store.state;
  arrangeAndRequest({ ...layout, hiddenRows: layout.hiddenRows.filter((other) => !sameRow(other, key)) });
}
