// The maps of the previous question (`state.previous`): shown until the new ones come, and again while the user holds a key
// or presses a button for them (`state.blink`).

import { arrayOf } from "../rendering/draw.js";
import { t } from "../shared/texts.js";
import { className, modelTitle } from "./models.js";
import { keyOf, placeOf, rowsOf, sameRow } from "./rows.js";
import { store } from "./store.js";

/** @import { Previous, Panel, State } from "./types.js" */

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
 * @returns {Previous | null}
 */
export function previousMaps(old, next, panels) {
  if (JSON.stringify([old.ask, old.layout]) === JSON.stringify([next.ask, next.layout])) return old.previous;
  /** @type {Map<string, Panel>} */
  const maps = new Map();
  for (const panel of panels) {
    const other = counterpart(panel, old, next);
    const shown = other && (arrayOf(other) ? other : previousPanel(other, old));
    if (!shown || (panel.raw && panel.raw === shown.raw)) continue;
    maps.set(placeOf(panel, next), { ...shown, input: shown.input ?? old.inputs.get(shown.model) });
  }
  return maps.size ? { maps } : null;
}

/**
 * The panel of the previous question in the place of this one.
 * @param {Panel} panel
 * @param {Pick<State, "previous" | "ask">} state
 * @returns {Panel | null}
 */
export const previousPanel = (panel, { previous, ask }) => previous?.maps.get(placeOf(panel, { ask })) ?? null;

/**
 * What is to be seen in a panel's place: {panel, old, stale}. `old`: it is the map of the previous question; `stale`: it is,
 * because there is no new one yet.
 * @param {Panel} panel
 */
export function shownOf(panel) {
  const { state } = store;
  const previous = previousPanel(panel, state);
  const stale = Boolean(previous) && !arrayOf(panel) && !panel.problem;
  const old = stale || (Boolean(previous) && (state.blink === "all" || state.blink === panel.id));
  return { panel: previous && old ? previous : panel, old, stale };
}

/**
 * What is written on a map of the previous question: its class and its model, where they differ from the panel's; else that its
 * parameters do.
 * @param {Panel} previous
 * @param {Panel} panel
 */
export function differenceOf(previous, panel) {
  const label = previous.target && previous.target.index !== panel.target?.index ? className(previous.target) : null;
  const model = previous.model !== panel.model ? modelTitle(previous.model) : null;
  return t("previous.mark", { what: [label, model].filter(Boolean).join(" · ") || t("previous.parameters") });
}
