// All that changes the state, each change under a name. Nothing else writes to the store.

import { rememberSettings } from "../rendering/settings.js";
import { emptyView, RESTING_VIEWPORT } from "./initial.js";
import { withLayers } from "./layers.js";
import { allPanels, isFinal } from "./panels.js";
import { arranged } from "./rows.js";
import { store } from "./store.js";

/**
 * @import { InputBody, ModelBody } from "../api/types.js"
 * @import { Settings } from "../rendering/types.js"
 * @import { Layers } from "./layers.js"
 * @import { Ask, Brush, Checks, Download, Notice, Panel, Picture, PictureEntry, PictureJob, RowKey, Sheet, State, ViewState, Viewport } from "./types.js"
 */

// The catalogue

/**
 * Fills one part of what the server offers: models, methods, samples or palettes.
 * @template {"models" | "methods" | "samples" | "palettes"} Part
 * @param {Part} part
 * @param {State[Part]} value
 */
export const setCatalogue = (part, value) => store.set({ [part]: value });

/**
 * Takes one model's new record into the list.
 * @param {ModelBody} record
 */
export function replaceModel(record) {
  const { models } = store.state;
  if (models) store.set({ models: { ...models, models: models.models.map((model) => (model.id === record.id ? record : model)) } });
}

/**
 * Names of classes in the page's language, by their labels. `inputs` is set again, so that whatever shows a class is drawn anew.
 * @param {Record<string, string>} names
 */
export const addClassNames = (names) => store.set({ classNames: { ...store.state.classNames, ...names }, inputs: store.state.inputs });

// The view: what was asked, and what has come of it

/**
 * Shows these panels and no others, in the order and as far as the layout says; with `patch`, in one step.
 * @param {Panel[]} all
 * @param {Partial<State>} patch
 */
export function placePanels(all, patch = {}) {
  store.set({ ...patch, ...arranged(all, { ...store.state, ...patch }) });
}

/**
 * Shows a view as it was.
 * @param {ViewState} view
 */
export const restoreView = (view) => store.set(view);

/**
 * The start page, with no picture.
 * @param {Notice | null} notice
 */
export const clearView = (notice = null) => store.set({ ...emptyView(), pictures: [], strip: null, pictureJobs: {}, overview: false, notice });

/** @param {Partial<Ask>} patch */
export const setAsk = (patch) => store.set({ ask: { ...store.state.ask, ...patch } });

/**
 * @param {string} model
 * @param {InputBody} input
 */
export const setInput = (model, input) => store.set({ inputs: new Map(store.state.inputs).set(model, input) });

/** @param {number} seconds */
export const endRun = (seconds) => store.set({ phase: "done", seconds });

/**
 * Ends a run before its end: what has not come by now is cancelled.
 * @param {"cancelled" | "failed"} phase
 */
export function stopRun(phase) {
  for (const panel of allPanels()) if (!isFinal(panel)) store.setPanel(panel.id, { status: "cancelled" });
  store.set({ phase });
}

/**
 * Changes one panel; what it shows is drawn anew.
 * @param {string} id
 * @param {Partial<Panel>} patch
 */
export const updatePanel = (id, patch = {}) => store.setPanel(id, patch);

/**
 * Makes a row the one that picture, predictions and question belong to.
 * @param {RowKey} row
 */
export const setRow = (row) => store.set({ row });

/**
 * What went wrong, told at a place of the page: {place, problem, retry}.
 * @param {Notice} notice
 */
export const showNotice = (notice) => store.set({ notice });

export const dismissNotice = () => store.set({ notice: null });

/**
 * Shows the maps of the previous question: of one panel, of all, or (null) of none.
 * @param {State["blink"]} blink
 */
export const setBlink = (blink) => store.set({ blink });

// Pictures

/** @param {PictureEntry[]} pictures */
export const setPictures = (pictures) => store.set({ pictures });

/**
 * The strip, under the name by which this browser keeps it.
 * @param {string} strip
 * @param {PictureEntry[]} pictures
 */
export const setStrip = (strip, pictures) => store.set({ strip, pictures });

/**
 * @param {string} key - of the picture
 * @param {Partial<PictureJob>} patch
 */
export function setPictureJob(key, patch) {
  /** @type {PictureJob} */
  const fresh = { status: "waiting", question: null, record: null, problem: null };
  const { pictureJobs } = store.state;
  store.set({ pictureJobs: { ...pictureJobs, [key]: { ...fresh, ...pictureJobs[key], ...patch } } });
}

/** @param {boolean} paused */
export const pausePictures = (paused) => store.set({ paused });

/** @param {boolean} open */
export const openOverview = (open) => store.set({ overview: open });

/**
 * More that is known of the picture that is shown.
 * @param {Partial<Picture>} patch
 */
export const describePicture = (patch) => store.state.picture && store.set({ picture: { ...store.state.picture, ...patch } });

// How maps are rendered, and what of them is looked at

/** @param {Partial<Settings>} patch */
export function setRendering(patch) {
  store.set({ rendering: { ...store.state.rendering, ...patch } });
  rememberSettings(store.state.rendering);
}

/**
 * There is one region at a time: a box takes the place of a mask, and a mask that of a box.
 * @param {Partial<Viewport>} patch
 */
export function setViewport(patch) {
  const other = patch.box ? { mask: null } : patch.mask ? { box: null } : {};
  store.set({ viewport: { ...store.state.viewport, ...other, ...patch } });
}

/** Places mean nothing on another picture. */
export const resetViewport = () => store.set({ viewport: RESTING_VIEWPORT, tool: null });

/** @param {State["tool"]} tool */
export const setTool = (tool) => store.set({ tool });

/** @param {Partial<Brush>} patch */
export const setBrush = (patch) => store.set({ brush: { ...store.state.brush, ...patch } });

/**
 * What an address says of the view, all at once.
 * @param {Partial<State>} slices
 */
export function restoreFromAddress(slices) {
  if (Object.keys(slices).length) store.set(slices);
  rememberSettings(store.state.rendering);
}

// Dialogs: null closes

/** @param {string | null} id */
export const viewPanel = (id) => store.set({ viewedPanel: id });

/** @param {string | null} method */
export const openParameters = (method) => store.set({ parametersOf: method });

/** @param {RowKey | null} row */
export const openFlow = (row) => store.set({ flowRow: row });

/**
 * `metric` is the one to begin with.
 * @param {string | null} panel
 * @param {string | null} metric
 */
export const openMetrics = (panel, metric = null) => store.set({ metricsPanel: panel, metricsAt: metric });

/** @param {State["checksTable"]} checksTable */
export const openChecks = (checksTable) => store.set({ checksTable });

/** @param {string | null} panel */
export const openLayers = (panel) => store.set({ layersOf: panel });

/** @param {Sheet | null} sheet */
export const openSheet = (sheet) => store.set({ sheet });

/** @param {State["dialog"]} dialog */
export const openDialog = (dialog) => store.set({ dialog });

/**
 * Opens exactly these layers over the page, and closes all others.
 * @param {Layers} layers
 */
export function restoreLayers(layers) {
  const patch = withLayers(store.state, layers);
  if (Object.keys(patch).length) store.set(patch);
}

/**
 * A dialog that could not be fetched: `key` is its place in the state.
 * @param {"flowRow" | "metricsPanel" | "checksTable" | "layersOf"} key
 * @param {Notice} notice
 */
export const failDialog = (key, notice) => store.set({ [key]: null, notice });

/**
 * @template {"flowRow" | "metricsPanel" | "checksTable" | "layersOf"} Key
 * @param {Key} key
 * @param {State[Key]} value
 */
export const retryDialog = (key, value) => store.set({ notice: null, [key]: value });

// Checking all maps

/** @param {Checks | null} checks */
export const setChecks = (checks) => store.set({ checks });

/** What is being measured ends, and what waits behind it is not begun. */
export function cancelChecks() {
  const { checks } = store.state;
  if (checks?.status === "running") store.set({ checks: { ...checks, status: "cancelled", doing: null } });
}

// Downloads of weights

/** @param {Download[]} downloads */
export const setDownloads = (downloads) => store.set({ downloads });

/**
 * @param {string} model
 * @param {Partial<Download>} patch
 */
export function updateDownload(model, patch) {
  store.set({ downloads: store.state.downloads.map((entry) => (entry.model === model ? { ...entry, ...patch } : entry)) });
}
