// The maps of the previous question (`state.before`): shown until the new ones come, and again while the user holds a key
// or presses a button for them (`state.blink`).

import { arrayOf } from "../rendering/draw.js";
import { t } from "../shared/texts.js";
import { modelTitle } from "./models.js";
import { keyOf, rowId, rowsOf, sameRow } from "./rows.js";
import { store } from "./store.js";

/** @import { Before, Panel, State } from "./types.js" */

/**
 * Where a panel stands: its row and its method.
 * @param {Pick<Panel, "model" | "target" | "method">} panel
 * @param {Pick<State, "ask">} state
 */
const placeOf = (panel, { ask }) => `${rowId(keyOf(panel, ask))} ${panel.method}`;

/**
 * The panel of the previous question that stood where this one stands: in the row with the same key, or else in the row
 * at the same position.
 * @param {Panel} panel
 * @param {State} old
 * @param {State} next
 */
function counterpart(panel, old, next) {
  const key = keyOf(panel, next.ask);
  const [rows, oldRows] = [rowsOf(next), rowsOf(old)];
  const index = rows.findIndex((row) => sameRow(row.key, key));
  const kept = oldRows.some((row) => sameRow(row.key, key));
  const oldKey = kept ? key : rows.length === oldRows.length ? oldRows[index]?.key : undefined;
  return oldKey && [...old.panels, ...old.hiddenPanels].find((other) => other.method === panel.method && sameRow(keyOf(other, old.ask), oldKey));
}

/**
 * The maps of `old` to keep while the panels of `next` are computed; null where no map is replaced.
 * @param {State} old
 * @param {State} next
 * @param {Panel[]} panels
 * @returns {Before | null}
 */
export function mapsBefore(old, next, panels) {
  if (JSON.stringify([old.ask, old.layout]) === JSON.stringify([next.ask, next.layout])) return old.before;
  /** @type {Map<string, Panel>} */
  const maps = new Map();
  for (const panel of panels) {
    const other = counterpart(panel, old, next);
    const shown = other && (arrayOf(other) ? other : panelBefore(other, old));
    if (!shown || (panel.raw && panel.raw === shown.raw)) continue;
    maps.set(placeOf(panel, next), { ...shown, input: shown.input ?? old.inputs.get(shown.model) });
  }
  return maps.size ? { maps } : null;
}

/**
 * The panel of the previous question in the place of this one.
 * @param {Panel} panel
 * @param {Pick<State, "before" | "ask">} state
 * @returns {Panel | null}
 */
export const panelBefore = (panel, { before, ask }) => before?.maps.get(placeOf(panel, { ask })) ?? null;

/**
 * What is to be seen in a panel's place: {panel, old, stale}. `old`: it is the map of the previous question; `stale`: it is,
 * because there is no new one yet.
 * @param {Panel} panel
 */
export function shownOf(panel) {
  const { state } = store;
  const before = panelBefore(panel, state);
  const stale = Boolean(before) && !arrayOf(panel) && !panel.problem;
  const old = stale || (Boolean(before) && (state.blink === "all" || state.blink === panel.id));
  return { panel: before && old ? before : panel, old, stale };
}

/**
 * The mark on a map of the previous question: its class and its model, where they differ from the panel's; else that its
 * parameters do.
 * @param {Panel} before
 * @param {Panel} panel
 */
export function markOf(before, panel) {
  const label = before.target && before.target.index !== panel.target?.index ? before.target.label : null;
  const model = before.model !== panel.model ? modelTitle(before.model) : null;
  return t("before.mark", { what: [label, model].filter(Boolean).join(" · ") || t("before.parameters") });
}
