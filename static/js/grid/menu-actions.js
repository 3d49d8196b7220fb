// What the menus of rows and columns offer: only what can be done now.

import { hideMethod, hideRow, moveMethod, moveRow, removeMethod, removeModel, removeTarget } from "../controller/layout.js";
import { t } from "../shared/texts.js";
import { openParameters } from "../state/actions.js";
import { aboutMethod, methodOf, methodTitle } from "../state/methods.js";
import { className, modelTitle } from "../state/models.js";
import { sameRow, shownMethods, shownRows } from "../state/rows.js";
import { store } from "../state/store.js";

/**
 * @import { ClassBody } from "../api/types.js"
 * @import { RowKey } from "../state/types.js"
 * @import { Action } from "../widgets/action-menu.js"
 */

/** @param {any[]} values */
const many = (values) => new Set(values).size > 1;

/** @param {string} method */
export const hasParameters = (method) => Object.keys(methodOf(method)?.parameters?.properties ?? {}).length > 0;

/**
 * @param {string} method
 * @returns {(Action | false)[]}
 */
export function columnActions(method) {
  const shown = shownMethods(store.state);
  const index = shown.indexOf(method);
  const others = shown.length > 1;
  return [
    hasParameters(method) && { text: t("column.parameters"), run: () => openParameters(method) },
    index > 0 && { text: t("column.left"), run: () => moveMethod(method, -1) },
    index < shown.length - 1 && { text: t("column.right"), run: () => moveMethod(method, 1) },
    others && { text: t("column.hide"), run: () => hideMethod(method) },
    others && { text: t("column.remove", { method: methodTitle(method) }), run: () => removeMethod(method) },
    { text: t("column.about"), href: aboutMethod(method) },
  ];
}

/**
 * @param {{ key: RowKey, model: string | null }} row
 * @param {ClassBody | null | undefined} target
 * @returns {(Action | false)[]}
 */
export function rowActions({ key, model }, target) {
  const rows = shownRows(store.state);
  const index = rows.findIndex((other) => sameRow(other.key, key));
  const row = rows[index];
  const others = rows.length > 1;
  return [
    index > 0 && { text: t("row.up"), run: () => moveRow(key, -1) },
    index < rows.length - 1 && { text: t("row.down"), run: () => moveRow(key, 1) },
    others && { text: t("row.hide"), run: () => hideRow(key) },
    many(rows.map((other) => other.model)) && { text: t("row.remove", { name: modelTitle(model) }), run: () => model && removeModel(model) },
    many(rows.map((other) => other.target?.index)) && { text: t("row.remove", { name: target ? className(target) : t("row.top") }), run: () => removeTarget(row?.target ?? null) },
  ];
}
