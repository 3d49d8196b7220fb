// What may lie open over the page, each a step of the browser's history: full screen, comparison, dialogs, sheets. A layer
// here is something open; only `layersOf` is about the layers of a network: it opens their dialog.

/** @import { State } from "./types.js" */

/** @typedef {"viewedPanel" | "compare" | "checksTable" | "metricsPanel" | "flowRow" | "layersOf" | "overview" | "parametersOf" | "sheet" | "dialog"} Layer */

/** @typedef {Partial<Record<Layer, any>>} Layers What is open, and of what. */

/** @type {Layer[]} */
export const LAYERS = ["sheet", "overview", "viewedPanel", "compare", "flowRow", "checksTable", "metricsPanel", "layersOf", "parametersOf", "dialog"];

/**
 * @param {State} state
 * @param {Layer} layer
 * @returns {any}
 */
const valueOf = (state, layer) => (layer === "compare" ? state.viewport.compare : state[layer]);

/**
 * @param {State} state
 * @returns {Layers}
 */
export const openedLayers = (state) => Object.fromEntries(LAYERS.flatMap((layer) => {
  const value = valueOf(state, layer);
  return value === null || value === undefined || value === false ? [] : [[layer, value]];
}));

/**
 * The parts of the state in which exactly these are open; only those that change.
 * @param {State} state
 * @param {Layers} layers
 * @returns {Partial<State>}
 */
export function withLayers(state, layers) {
  // What is closed is null or false.
  const changed = LAYERS.filter((layer) => JSON.stringify(valueOf(state, layer) || null) !== JSON.stringify(layers[layer] ?? null));
  return Object.fromEntries(changed.map((layer) => (
    layer === "compare" ? ["viewport", { ...state.viewport, compare: layers.compare ?? null }] : [layer, layers[layer] ?? null])));
}
