// The arrays of the panels: partial maps from the stream, and the raw array of each finished panel.

import * as api from "../api/client.js";
import { cameSlowly } from "../api/slow-link.js";
import { decodeMap, decodeNpy } from "../arrays/worker-client.js";
import { reduce } from "../rendering/reduction.js";
import { REDUCTIONS, paletteOf } from "../rendering/settings.js";
import { loadImage } from "../shared/load-image.js";
import { t } from "../shared/texts.js";
import { nextTask, putOff } from "../shared/turns.js";
import { dismissNotice, showNotice, updatePanel } from "../state/actions.js";
import { cacheAnswer, cacheKey } from "../state/result-cache.js";
import { store } from "../state/store.js";

/**
 * @import { PanelBody } from "../api/types.js"
 * @import { Panel } from "../state/types.js"
 */

const PREVIEW_SIDE = 112; // pixels: a tenth of the array's bytes

/** @type {WeakSet<PanelBody>} */
const fetching = new WeakSet(); // records whose array is on its way

/**
 * Caches a panel that is final (with its array, or refused), so that a later request need not compute it again.
 * @param {Panel} panel
 */
export function cachePanel({ model, method, target, against, status, record, raw, problem }) {
  if (!target || !(status === "refused" || raw)) return;
  cacheAnswer(cacheKey({ model, method, target: target.index }, store.state), { status, target, against, record, raw, problem });
}

/**
 * Fetches the arrays of finished panels that are shown and have none yet; hidden panels get theirs when they are shown.
 * On a slow connection small pictures of the maps come first.
 * @param {AbortSignal} signal
 */
export async function fetchShown(signal) {
  const missing = store.state.panels.filter(({ status, raw }) => status === "done" && !raw);
  if (missing.length && cameSlowly(store.state.id)) await Promise.all(missing.map((panel) => showPreview(panel, signal)));
  for (const { id } of missing) if (!signal.aborted) fetchArray(id, signal);
}

/**
 * Shows a small picture of a finished panel, coloured by the server as the page would colour it now; none where the
 * colours depend on other panels too, or where the map is not shown whole.
 * @param {Panel} panel
 * @param {AbortSignal} signal
 */
async function showPreview({ id, record }, signal) {
  const { rendering } = store.state;
  if (!record?.urls.png || rendering.scale !== "own" || rendering.show !== "map") return;
  const { reduction, percentile } = rendering;
  const search = new URLSearchParams({ colormap: paletteOf(rendering), reduce: reduction, percentile: String(percentile), side: String(PREVIEW_SIDE) });
  const url = `${record.urls.png}?${search}`;
  try {
    await loadImage(url);
  } catch {
    return; // the array tells what is wrong
  }
  if (!signal.aborted && !store.panel(id)?.raw) updatePanel(id, { preview: { url, rendering } });
}

/**
 * Shows a partial map from the stream. It is dropped if a newer one, or the final array, was decoded first.
 * @param {string} id
 * @param {object} map
 * @param {number} order
 * @param {AbortSignal} signal
 */
export async function showPartialMap(id, map, order, signal) {
  const partial = await decodeMap(map);
  const panel = store.panel(id);
  if (signal.aborted || !panel || panel.raw || (panel.order ?? -1) > order) return;
  updatePanel(id, { partial, order });
}

/**
 * Fetches the raw array of a finished panel, from which every rendering of it is drawn.
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
    // Reduced in a task of its own: that it is drawn follows in another.
    reduce(raw, store.state.rendering.reduction);
    await nextTask();
    if (signal.aborted) return;
    updatePanel(id, { raw, preview: null, problem: null });
    const panel = store.panel(id);
    if (panel) cachePanel(panel);
    // Computes all reductions while the browser is idle, so that choosing another one only needs colouring.
    for (const reduction of REDUCTIONS) putOff(() => reduce(raw, reduction));
  } catch (error) {
    if (signal.aborted) return;
    // What the stream has sent is there: one notice for all maps that could not be fetched.
    if (error instanceof api.Problem && error.transient && store.panel(id)?.partial) {
      showNotice({ place: "grid", problem: error, retry: () => { dismissNotice(); fetchShown(signal); } });
      return;
    }
    const detail = /** @type {Error} */ (error).message;
    updatePanel(id, { problem: { title: t("problem.array"), detail, again: () => fetchArray(id, signal) } });
  } finally {
    fetching.delete(record);
  }
}
