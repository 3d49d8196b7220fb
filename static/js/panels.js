// The state of a panel: one map of the grid, from its announcement to its raw array.

import { store } from "./store.js";
import { DEFAULT_METHODS } from "./methods.js";
import * as api from "./api.js";
import { decodeMap, decodeNpy } from "./decoder.js";
import { REDUCTIONS, reduce } from "./reading.js";
import { t } from "./texts.js";

const whenIdle = globalThis.requestIdleCallback ?? ((run) => setTimeout(run, 50));
const FINAL = new Set(["done", "refused", "failed"]);

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
    ...fields,
  };
}

/** Panels to stand in the grid until the server has named the real ones: nothing moves then. */
export function expectedPanels({ methods, model, target }) {
  return (methods ?? DEFAULT_METHODS).map((method) => blank({ id: `expected-${method}`, method, model, target }));
}

/** The panels of `accepted`; `old` ones that answer the same question keep their map. */
export function acceptedPanels(announced, old) {
  return announced.map((fields) => {
    const known = old.find((panel) => panel.status === "done" && panel.method === fields.method && panel.model === fields.model);
    return blank({ ...fields, ...(known && { estimate: known.estimate, raw: known.raw }) });
  });
}

export function recordedPanel(record) {
  const { id, model, method, target, against, status, problem } = record;
  return blank({ id, model, method, target, against, status: FINAL.has(status) ? status : "cancelled", record, problem: problem ?? null });
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
  try {
    const { buffer, scale } = await api.rawArray(record.urls.npy, { signal });
    const raw = await decodeNpy(buffer, scale);
    if (signal.aborted) return;
    store.setPanel(id, { raw, problem: null });
    // The other reductions are made while nothing else is to do: choosing one then only colours.
    for (const reduction of REDUCTIONS) whenIdle(() => reduce(raw, reduction));
  } catch (error) {
    if (signal.aborted) return;
    store.setPanel(id, { problem: { title: t("problem.array"), detail: error.message, again: () => fetchArray(id, signal) } });
  }
}
