// One map of the grid as the state holds it, from its announcement to its raw array.

import { isUploaded } from "../shared/uploaded.js";
import { cachedAnswer, cacheKey } from "./result-cache.js";
import { indexIn, shownMethods, shownRows } from "./rows.js";
import { store } from "./store.js";

/**
 * @import { ClassBody, MissingPanelBody, PanelBody, PlannedPanelBody } from "../api/types.js"
 * @import { Panel, State } from "./types.js"
 */

/** @type {Set<string>} */
const FINAL = new Set(["done", "refused", "failed"]);

/**
 * Only a stored panel can be measured. Of a cached one the server has not sent the record yet.
 * @param {Panel} panel
 */
export const canBeMeasured = ({ status, record, cached }) => status === "done" && Boolean(record) && !cached;

/** @param {Pick<Panel, "status">} panel */
export const isFinal = (panel) => FINAL.has(panel.status);

export const allPanels = () => [...store.state.panels, ...store.state.hiddenPanels];

/**
 * @param {Partial<Panel> & Pick<Panel, "id" | "method">} fields
 * @returns {Panel}
 */
function blank(fields) {
  return {
    model: null,
    target: null,
    against: null,
    status: "waiting",
    done: 0,
    total: null,
    partial: null,
    raw: null,
    preview: null,
    record: null,
    problem: null,
    measuring: {},
    cached: false,
    ...fields,
  };
}

/**
 * A blank panel, or the map that was on the page already and answers the same question.
 * @param {Pick<Panel, "id" | "model" | "method" | "target">} fields
 * @param {number | undefined} target
 * @param {State} state
 */
function answered(fields, target, state) {
  const known = target === undefined ? null : cachedAnswer(cacheKey({ ...fields, target }, state));
  return blank({ ...fields, ...known, cached: Boolean(known) });
}

/**
 * @param {string | null} model
 * @param {State} state
 * @returns {ClassBody | undefined}
 */
const topOf = (model, { inputs }) => inputs.get(model)?.predictions[0];

/**
 * Panels to stand in the grid until the server has named the real ones: nothing moves then.
 * @param {State} state
 */
export function expectedPanels(state) {
  return shownRows(state).flatMap(({ model, target: asked }) => shownMethods(state).map((method) => {
    const target = asked ? { index: indexIn(asked, model), label: asked.label } : (topOf(model, state) ?? null);
    return answered({ id: `expected ${model} ${asked?.index ?? "top"} ${method}`, model, method, target }, target?.index, state);
  }));
}

/**
 * A panel as the server announced it: its target is an index, whose label comes with the panel or was asked for.
 * @param {PlannedPanelBody} announced
 * @param {State} state
 */
export function acceptedPanel({ id, model, method, target: index }, state) {
  const asked = state.ask.targets.find((each) => each && indexIn(each, model) === index);
  const target = asked && index !== null ? { index, label: asked.label } : null;
  return answered({ id, model, method, target }, index ?? undefined, state);
}

/**
 * A panel that a recorded explanation was asked for, and was stopped before it came.
 * @param {MissingPanelBody} missing
 */
export function missingPanel({ model, method, target, against }) {
  return blank({ id: `missing ${model} ${method} ${target?.index ?? "top"}`, model, method, target, against, status: "cancelled" });
}

/**
 * A panel of an explanation that was recorded; one that was not finished then is cancelled.
 * @param {PanelBody} record
 * @param {State} state
 */
export function recordedPanel(record, state) {
  const { id, model, method, target, against, status, problem } = record;
  const raw = isUploaded(method) ? null : cachedAnswer(cacheKey({ model, method, target: target?.index }, state))?.raw ?? null;
  const ended = isFinal({ status }) ? status : "cancelled";
  return blank({ id, model, method, target, against, status: ended, record, raw, problem: problem ?? null });
}
