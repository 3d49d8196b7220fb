// All that changes the state, each change under a name. Nothing else writes to the store.

import { rememberSettings } from "../rendering/settings.js";
import { emptyView, RESTING_VIEWPORT } from "./initial.js";
import { everyPanel, isFinal } from "./panels.js";
import { arranged } from "./rows.js";
import { store } from "./store.js";

// The catalogue

/** Fills one part of what the server offers: models, methods, samples or palettes. */
export const setCatalogue = (part, value) => store.set({ [part]: value });

/** Takes one model's new record into the list. */
export function replaceModel(record) {
  const { models } = store.state;
  store.set({ models: { ...models, models: models.models.map((model) => (model.id === record.id ? record : model)) } });
}

// The view: what was asked, and what has come of it

/** Shows these panels and no others, in the order and as far as the layout says; with `patch`, in one step. */
export function placePanels(all, patch = {}) {
  store.set({ ...patch, ...arranged(all, { ...store.state, ...patch }) });
}

/** Shows a view as it was. */
export const restoreView = (view) => store.set(view);

/** The start page, with no picture. */
export const clearView = (notice = null) => store.set({ ...emptyView(), pictures: [], notice });

export const setAsk = (patch) => store.set({ ask: { ...store.state.ask, ...patch } });

export const setInput = (model, input) => store.set({ inputs: new Map(store.state.inputs).set(model, input) });

export const endRun = (seconds) => store.set({ phase: "done", seconds });

/** Ends a run before its end: what has not come by now is cancelled. */
export function stopRun(phase) {
  for (const panel of everyPanel()) if (!isFinal(panel)) store.setPanel(panel.id, { status: "cancelled" });
  store.set({ phase });
}

/** Changes one panel; what it shows is drawn anew. */
export const updatePanel = (id, patch = {}) => store.setPanel(id, patch);

/** Makes a row the one that picture, predictions and question belong to. */
export const setRow = (row) => store.set({ row });

/** What went wrong, told at a place of the page: {place, problem, retry}. */
export const showNotice = (notice) => store.set({ notice });

export const dismissNotice = () => store.set({ notice: null });

// Pictures

export const setPictures = (pictures) => store.set({ pictures });

/** More that is known of the picture that is shown. */
export const describePicture = (patch) => store.set({ picture: { ...store.state.picture, ...patch } });

// How maps are rendered, and what of them is looked at

export function setRendering(patch) {
  store.set({ rendering: { ...store.state.rendering, ...patch } });
  rememberSettings(store.state.rendering);
}

export const setViewport = (patch) => store.set({ viewport: { ...store.state.viewport, ...patch } });

/** Places mean nothing on another picture. */
export const resetViewport = () => store.set({ viewport: RESTING_VIEWPORT, tool: null });

export const setTool = (tool) => store.set({ tool });

/** What an address says of the view, all at once. */
export function restoreFromAddress(slices) {
  if (Object.keys(slices).length) store.set(slices);
  rememberSettings(store.state.rendering);
}

// Dialogs: null closes

export const viewPanel = (id) => store.set({ viewedPanel: id });

export const openParameters = (method) => store.set({ parametersOf: method });

export const openFlow = (row) => store.set({ flowRow: row });

export const openMetrics = (panel) => store.set({ metricsPanel: panel });

/** A dialog that could not be fetched: `key` is its place in the state. */
export const failDialog = (key, notice) => store.set({ [key]: null, notice });

export const retryDialog = (key, value) => store.set({ notice: null, [key]: value });

// Downloads of weights

export const setDownloads = (downloads) => store.set({ downloads });

export function updateDownload(model, patch) {
  store.set({ downloads: store.state.downloads.map((entry) => (entry.model === model ? { ...entry, ...patch } : entry)) });
}
