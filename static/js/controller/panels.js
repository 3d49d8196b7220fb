// The state of a panel: one map of the grid, from its announcement to its raw array.

import { store } from "../state/store.js";
import * as api from "../api/client.js";
import { decodeMap, decodeNpy } from "../arrays/worker-client.js";
import { REDUCTIONS, reduce } from "../rendering/reduction.js";
import { answerKey, keep, kept } from "../state/result-cache.js";
import { arranged, rowKey, shownMethods, shownRows } from "../state/rows.js";
import { t } from "../shared/texts.js";

const whenIdle = globalThis.requestIdleCallback ?? ((run) => setTimeout(run, 50));
const fetching = new WeakSet(); // records whose array is on its way
const FINAL = new Set(["done", "refused", "failed"]);

/** The server keeps what it is to measure. */
export const canBeMeasured = ({ status, record, kept: old }) => status === "done" && Boolean(record) && !old;

export const isFinal = (panel) => FINAL.has(panel.status);

function blank(fields) {
  return {
    model: null,
    target: null,
    against: null,
    status: "waiting", // waiting | running | done | refused | failed | cancelled
    done: 0,
    total: null,
    estimate: null, // the newest map of the stream, summed over channels
    raw: null, // the array itself, once it is fetched
    record: null,
    problem: null,
    measuring: {}, // {metric: {status: waiting | running | cancelled | failed, done, total, problem}}, see metrics/measurements.js
    kept: false, // shown from before, until the server has sent its record
    ...fields,
  };
}

/** A blank panel, or the map that was on the page already and answers the same question. */
function answered(fields, target, state) {
  const known = target === undefined ? null : kept(answerKey({ ...fields, target }, state));
  return blank({ ...fields, ...known, kept: Boolean(known) });
}

const topOf = (model, { inputs }) => inputs.get(model)?.predictions[0];

/** Panels to stand in the grid until the server has named the real ones: nothing moves then. */
export function expectedPanels(state) {
  return shownRows(state).flatMap(({ model, target: asked }) => shownMethods(state).map((method) => {
    const target = asked ?? topOf(model, state) ?? null;
    return answered({ id: `expected-${rowKey(model, asked)}-${method}`, model, method, target }, target?.index, state);
  }));
}

/** A panel as the server announced it: its target is an index, whose label comes with the panel or was asked for. */
export function acceptedPanel({ id, model, method, target: index }, state) {
  const target = state.ask.targets.find((asked) => asked?.index === index) ?? null;
  return answered({ id, model, method, target }, index, state);
}

/** Shows these panels and no others, in the order and as far as the layout says; with `patch`, in one step. */
export function place(all, patch = {}) {
  store.set({ ...patch, ...arranged(all, { ...store.state, ...patch }) });
}

export const everyPanel = () => [...store.state.panels, ...store.state.aside];

/** Puts a panel that will not change any more where the next request finds it. */
export function keepPanel({ model, method, target, against, status, record, raw, problem }) {
  if (!target || !(status === "refused" || raw)) return;
  keep(answerKey({ model, method, target: target.index }, store.state), { status, target, against, record, raw, problem });
}

/** Fetches what is shown and not here yet; what is hidden is fetched when it is shown. */
export function fetchShown(signal) {
  for (const { id, status, raw } of store.state.panels) if (status === "done" && !raw) fetchArray(id, signal);
}

export function recordedPanel(record, state) {
  const { id, model, method, target, against, status, problem } = record;
  const raw = kept(answerKey({ model, method, target: target?.index }, state))?.raw ?? null;
  return blank({ id, model, method, target, against, status: FINAL.has(status) ? status : "cancelled", record, raw, problem: problem ?? null });
}

/** A map of the stream; one that arrives decoded after a newer one, or after the array, is dropped. */
export async function showEstimate(id, map, order, signal) {
  const estimate = await decodeMap(map);
  const panel = store.panel(id);
  if (signal.aborted || !panel || panel.raw || (panel.order ?? -1) > order) return;
  store.setPanel(id, { estimate, order });
}

/** Fetches the raw array of a finished panel; all readings come from it. */
export async function fetchArray(id, signal) {
  const { record } = store.panel(id);
  if (fetching.has(record)) return;
  fetching.add(record);
  try {
    const { buffer, scale } = await api.rawArray(record.urls.npy, { signal });
    const raw = await decodeNpy(buffer, scale);
    if (signal.aborted) return;
    store.setPanel(id, { raw, problem: null });
    keepPanel(store.panel(id));
    // The other reductions are made while nothing else is to do: choosing one then only colours.
    for (const reduction of REDUCTIONS) whenIdle(() => reduce(raw, reduction));
  } catch (error) {
    if (signal.aborted) return;
    store.setPanel(id, { problem: { title: t("problem.array"), detail: error.message, again: () => fetchArray(id, signal) } });
  } finally {
    fetching.delete(record);
  }
}
