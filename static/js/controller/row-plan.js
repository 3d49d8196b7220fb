// What adding a row would add: which rows, how many maps, about how many seconds. Models × classes are rows, so a new
// model may bring several.

import * as api from "../api/client.js";
import { rowKey, rowsOf, shownMethods, targetsOf } from "../state/rows.js";
import { store } from "../state/store.js";

/** @import { AskedClass, RowKey, State } from "../state/types.js" */

/**
 * What is to be added: a class, as `of` numbers it, and a model; `own`: each model's top class instead.
 * @typedef {object} RowChoice
 * @property {string} model
 * @property {AskedClass | null} target
 * @property {string} of
 * @property {boolean} own
 */

/**
 * @typedef {object} RowPlan
 * @property {string[]} models
 * @property {(AskedClass | null)[]} targets
 * @property {RowKey} row - the one that was chosen
 * @property {AskedClass | null} top - if rows that asked for the top class now ask for this class by name, so that all models are asked about the same one
 * @property {(string | null)[]} added - the model of each new row
 * @property {{ model: string, label: string }[]} missing - classes that a model does not have
 */

/** @type {<T>(values: T[]) => T[]} */
const unique = (values) => [...new Set(values)];

/** @param {string} label */
const folded = (label) => label.trim().toLowerCase();

/**
 * The class in a model's list, by its label; null where it is missing.
 * @param {AskedClass} target
 * @param {string} model
 * @param {AbortSignal} signal
 */
async function classIn({ index, label }, model, signal) {
  const found = (await api.classes(model, label, { signal })).filter((each) => folded(each.label) === folded(label));
  return found.find((each) => each.index === index) ?? found[0] ?? null;
}

/**
 * The class with its index in each model's list, where these differ.
 * @param {AskedClass} target
 * @param {string} of - the model whose index it has
 * @param {string[]} models
 * @param {AbortSignal} signal
 * @returns {Promise<{ target: AskedClass, missing: { model: string, label: string }[] }>}
 */
async function matched(target, of, models, signal) {
  const { index, label } = target;
  const found = await Promise.all(models.map(async (model) => {
    const own = model === of ? index : (target.indices?.[model] ?? (await classIn(target, model, signal))?.index);
    return { model, own };
  }));
  const missing = found.filter(({ own }) => own === undefined).map(({ model }) => ({ model, label }));
  const indices = Object.fromEntries(found.flatMap(({ model, own }) => (own === undefined ? [] : [[model, own]])));
  const first = indices[models[0]] ?? index;
  const alike = Object.values(indices).every((each) => each === first);
  return { target: alike ? { index: first, label } : { index: first, label, indices }, missing };
}

/**
 * The top class, if it is the same one in all rows that ask for the top class, and all these models have it; else null.
 * @param {State} state
 * @param {string[]} models
 * @param {AbortSignal} signal
 * @returns {Promise<AskedClass | null>}
 */
async function namedTop(state, models, signal) {
  const rows = rowsOf(state).filter(({ target }) => target === null);
  const tops = rows.map(({ model }) => state.inputs.get(model)?.predictions[0]);
  const [first] = tops;
  if (!models.length || !first || tops.some((top) => top?.index !== first.index)) return null;
  const { target, missing } = await matched({ index: first.index, label: first.label }, rows[0].model ?? "", models, signal);
  return missing.length ? null : target;
}

/**
 * @param {RowChoice} choice
 * @param {AbortSignal} signal
 * @returns {Promise<RowPlan>}
 */
export async function planRows({ model, target, of, own }, signal) {
  const { state } = store;
  const old = rowsOf(state);
  const known = unique(old.flatMap((row) => row.model ?? []));
  const models = unique([...known, model]);
  const before = targetsOf(state.ask);
  // A new model is asked about the same class: the top class of the others is named.
  const top = await namedTop(state, own || models.length === known.length ? [] : models, signal);
  /** @type {{ target: AskedClass | null, of: string }[]} */
  const wanted = before.map((each) => ({ target: each ?? top, of: known[0] ?? model }));
  wanted.push({ target: own ? null : target, of });
  /** @type {RowPlan["missing"]} */
  const missing = [];
  /** @type {(AskedClass | null)[]} */
  const targets = [];
  for (const each of wanted) {
    const found = each.target ? await matched(each.target, each.of, models, signal) : null;
    if (found) missing.push(...found.missing);
    const next = found?.target ?? null;
    if (!targets.some((other) => other?.index === next?.index)) targets.push(next);
  }
  const chosen = own ? null : targets.find((each) => each && folded(each.label) === folded(target?.label ?? ""));
  return { models, targets, row: rowKey(model, chosen), top, added: addedRows(state, models, targets), missing };
}

/**
 * @param {State} state
 * @param {string[]} models
 * @param {(AskedClass | null)[]} targets
 */
function addedRows(state, models, targets) {
  /** @type {(model: string | null, target: AskedClass | null) => string} */
  const idOf = (model, target) => `${model} ${(target ?? state.inputs.get(model)?.predictions[0])?.index ?? "top"}`;
  const there = new Set(rowsOf(state).map(({ model, target }) => idOf(model, target)));
  const next = rowsOf({ ...state, ask: { ...state.ask, models, targets } });
  return next.filter(({ model, target }) => !there.has(idOf(model, target))).map(({ model }) => model);
}

/**
 * How many maps a plan adds, and about how long they take; null while a model has not been measured.
 * @param {RowPlan} plan
 * @param {AbortSignal} signal
 * @returns {Promise<{ rows: number, maps: number, seconds: number | null }>}
 */
export async function costOfRows({ added }, signal) {
  const { state } = store;
  const methods = shownMethods(state);
  const options = Object.fromEntries(Object.entries(state.ask.options).filter(([method]) => methods.includes(method)));
  /** @type {number | null} */
  let seconds = 0;
  for (const model of unique(added)) {
    /** @type {api.Fields} */
    const fields = [["model", model], ...methods.map((method) => /** @type {[string, string]} */ (["method", method])), ["options", JSON.stringify(options)]];
    if (state.ask.size) fields.push(["size", state.ask.size]);
    const times = added.filter((each) => each === model).length;
    for (const { seconds: one } of await api.estimates(fields, { signal })) seconds = seconds === null || one === null ? null : seconds + times * one;
  }
  return { rows: added.length, maps: added.length * methods.length, seconds };
}
