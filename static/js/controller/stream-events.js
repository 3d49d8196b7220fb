// What each event of the stream changes on the page.

import { announce } from "../shared/announce.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { describePicture, endRun, placePanels, setInput, updatePanel } from "../state/actions.js";
import { layersStaying, withLayers } from "../state/layers.js";
import { acceptedPanel, allPanels, isFinal } from "../state/panels.js";
import { store } from "../state/store.js";
import { cachePanel, fetchArray, showPartialMap } from "./panel-arrays.js";

/**
 * @import { AcceptedEvent, Explanation, PanelBody, PanelEvent, PartialEvent, PredictionEvent, ProgressEvent } from "../api/types.js"
 * @import { Panel } from "../state/types.js"
 */

/**
 * Cancel aborts the stream; showing something else aborts the view too. `order` counts the maps that came.
 * @typedef {{ stream: AbortSignal, view: AbortSignal, order: number }} Signals
 */

/** @type {<T>(values: T[]) => T[]} */
const unique = (values) => [...new Set(values)];

/** @param {AcceptedEvent} data */
function accepted({ id, panels = [] }) {
  const { state } = store;
  // From now on the question names what the server took by default.
  const ask = {
    ...state.ask,
    models: state.ask.models.length ? state.ask.models : unique(panels.map(({ model }) => model)),
    methods: state.ask.methods ?? unique(panels.map(({ method }) => method)),
  };
  const pictures = state.pictures.map((entry) => (entry.key === state.picture?.key ? { ...entry, id } : entry));
  const inputs = new Map([...state.inputs].filter(([model]) => model && ask.models.includes(model)));
  const next = { panels: panels.map((panel) => acceptedPanel(panel, { ...state, ask })), ask };
  placePanels(next.panels, { id, ask, pictures, inputs, ...withLayers(state, layersStaying(state, next)) });
}

/** @param {PredictionEvent} data */
function prediction({ model, input, predictions }) {
  setInput(model, { ...input, predictions });
  for (const panel of allPanels()) {
    if (panel.model === model && !panel.target) updatePanel(panel.id, { target: predictions[0] });
  }
  const [{ label, probability }] = predictions;
  announce(t("announce.prediction", { label, probability: format.probability(probability) }));
}

/** @param {ProgressEvent} data */
const progress = ({ panel, done, total }) => updatePanel(panel, { status: "running", done, total });

/**
 * @param {PartialEvent} data
 * @param {Signals} signals
 */
function partial({ panel, done, total, map }, signals) {
  updatePanel(panel, { status: "running", done, total });
  signals.order += 1;
  showPartialMap(panel, map, signals.order, signals.view);
}

/**
 * @param {PanelEvent} data
 * @param {Signals} signals
 */
function finished({ panel: record, map }, signals) {
  takeRecord(record, signals);
  signals.order += 1;
  if (map) showPartialMap(record.id, map, signals.order, signals.view);
  const { panels } = store.state;
  const of = panels.length;
  const done = panels.filter(isFinal).length;
  if (done < of) announce(t("grid.progress", { done, of }));
}

/**
 * @param {Explanation} record
 * @param {Signals} signals
 */
function done(record, signals) {
  /** @param {Panel | undefined} panel */
  const lacksRecord = (panel) => panel && (!isFinal(panel) || panel.cached);
  for (const panel of record.panels) if (lacksRecord(store.panel(panel.id))) takeRecord(panel, signals);
  endRun(record.seconds);
  describePicture(pictureSize(record));
  announce(t("announce.done", { of: store.state.panels.length }));
}

/**
 * @param {PanelBody} record
 * @param {Signals} signals
 */
function takeRecord(record, signals) {
  const { status, target, against, problem } = record;
  updatePanel(record.id, { status, target, against, record, problem: problem ?? null, cached: false });
  const panel = store.panel(record.id);
  if (!panel) return;
  if (status === "refused") cachePanel(panel);
  if (status === "done" && !panel.raw && store.state.panels.includes(panel)) fetchArray(record.id, signals.view);
}

/**
 * The upright original's size: the crop is given in its pixels, whatever size the shown copy has.
 * @param {Explanation} record
 */
const pictureSize = ({ image: { width, height } }) => ({ width, height });

/** @type {Record<string, (data: any, signals: Signals) => void>} */
const EVENTS = { accepted, prediction, progress, partial, panel: finished, done };

/**
 * Takes an event of the stream; one that the page does not know changes nothing.
 * @param {string} event
 * @param {any} data
 * @param {Signals} signals
 */
export const takeEvent = (event, data, signals) => EVENTS[event]?.(data, signals);
