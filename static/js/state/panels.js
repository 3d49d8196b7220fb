// One map of the grid as the state holds it, from its announcement to its raw array.

import { cachedAnswer, cacheKey } from "./result-cache.js";
import { shownMethods, shownRows } from "./rows.js";
import { store } from "./store.js";

const FINAL = new Set(["done", "refused", "failed"]);

/** The server keeps what it is to measure. */
export const canBeMeasured = ({ status, record, cached }) => status === "done" && Boolean(record) && !cached;

export const isFinal = (panel) => FINAL.has(panel.status);

export const everyPanel = () => [...store.state.panels, ...store.state.aside];

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
    cached: false, // shown from before, until the server has sent its record
    ...fields,
  };
}

/** A blank panel, or the map that was on the page already and answers the same question. */
function answered(fields, target, state) {
  const known = target === undefined ? null : cachedAnswer(cacheKey({ ...fields, target }, state));
  return blank({ ...fields, ...known, cached: Boolean(known) });
}

const topOf = (model, { inputs }) => inputs.get(model)?.predictions[0];

/** Panels to stand in the grid until the server has named the real ones: nothing moves then. */
export function expectedPanels(state) {
  return shownRows(state).flatMap(({ model, target: asked }) => shownMethods(state).map((method) => {
    const target = asked ?? topOf(model, state) ?? null;
    return answered({ id: `expected ${model} ${asked?.index ?? "top"} ${method}`, model, method, target }, target?.index, state);
  }));
}

/** A panel as the server announced it: its target is an index, whose label comes with the panel or was asked for. */
export function acceptedPanel({ id, model, method, target: index }, state) {
  const target = state.ask.targets.find((asked) => asked?.index === index) ?? null;
  return answered({ id, model, method, target }, index, state);
}

/** A panel of an explanation that was recorded; one that was not finished then is cancelled. */
export function recordedPanel(record, state) {
  const { id, model, method, target, against, status, problem } = record;
  const raw = cachedAnswer(cacheKey({ model, method, target: target?.index }, state))?.raw ?? null;
  return blank({ id, model, method, target, against, status: FINAL.has(status) ? status : "cancelled", record, raw, problem: problem ?? null });
}
