// The arrays of the panels: estimates out of the stream, and the raw array of each finished one.

import * as api from "../api/client.js";
import { decodeMap, decodeNpy } from "../arrays/worker-client.js";
import { reduce } from "../rendering/reduction.js";
import { REDUCTIONS } from "../rendering/settings.js";
import { t } from "../shared/texts.js";
import { updatePanel } from "../state/actions.js";
import { cacheAnswer, cacheKey } from "../state/result-cache.js";
import { store } from "../state/store.js";

/**
 * @import { PanelBody } from "../api/types.js"
 * @import { Panel } from "../state/types.js"
 */

const whenIdle = globalThis.requestIdleCallback ?? ((run) => setTimeout(run, 50));
/** @type {WeakSet<PanelBody>} */
const fetching = new WeakSet(); // records whose array is on its way

/**
 * Puts a panel that will not change any more where the next request finds it.
 * @param {Panel} panel
 */
export function cachePanel({ model, method, target, against, status, record, raw, problem }) {
  if (!target || !(status === "refused" || raw)) return;
  cacheAnswer(cacheKey({ model, method, target: target.index }, store.state), { status, target, against, record, raw, problem });
}

/**
 * Fetches what is shown and not here yet; what is hidden is fetched when it is shown.
 * @param {AbortSignal} signal
 */
export function fetchShown(signal) {
  for (const { id, status, raw } of store.state.panels) if (status === "done" && !raw) fetchArray(id, signal);
}

/**
 * A map of the stream; one that arrives decoded after a newer one, or after the array, is dropped.
 * @param {string} id
 * @param {object} map
 * @param {number} order
 * @param {AbortSignal} signal
 */
export async function showEstimate(id, map, order, signal) {
  const estimate = await decodeMap(map);
  const panel = store.panel(id);
  if (signal.aborted || !panel || panel.raw || (panel.order ?? -1) > order) return;
  updatePanel(id, { estimate, order });
}

/**
 * Fetches the raw array of a finished panel; all that is drawn comes from it.
 * @param {string} id
 * @param {AbortSignal} signal
 */
export async function fetchArray(id, signal) {
  const record = store.panel(id)?.record;
  if (!record?.urls.npy || fetching.has(record)) return;
  fetching.add(record);
  try {
    const { buffer, scale } = await api.rawArray(record.urls.npy, { signal });
    const raw = await decodeNpy(buffer, scale);
    if (signal.aborted) return;
    updatePanel(id, { raw, problem: null });
    const panel = store.panel(id);
    if (panel) cachePanel(panel);
    // The other reductions are made while nothing else is to do: choosing one then only colours.
    for (const reduction of REDUCTIONS) whenIdle(() => reduce(raw, reduction));
  } catch (error) {
    if (signal.aborted) return;
    const detail = /** @type {Error} */ (error).message;
    updatePanel(id, { problem: { title: t("problem.array"), detail, again: () => fetchArray(id, signal) } });
  } finally {
    fetching.delete(record);
  }
}
