// What may lie open over the page, each a step of the browser's history: full screen, comparison, dialogs, sheets. A layer
// here is something open; only `layersOf` is about the layers of a network: it opens their dialog.

import { placeOf } from "./rows.js";

/** @import { Panel, State } from "./types.js" */

/** @typedef {"viewedPanel" | "compare" | "checksTable" | "metricsPanel" | "flowRow" | "layersOf" | "overview" | "parametersOf" | "sheet" | "dialog"} Layer */

/** @typedef {Partial<Record<Layer, any>>} Layers What is open, and of what. */

/** @type {Layer[]} */
export const LAYERS = ["sheet", "overview", "viewedPanel", "compare", "flowRow", "checksTable", "metricsPanel", "layersOf", "parametersOf", "dialog"];

/** Those whose value is the id of a panel. */
const OF_PANELS = /** @type {const} */ (["viewedPanel", "metricsPanel", "layersOf"]);

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
 * What stays open when the panels of the next answer come: a panel that is looked at goes on in the one that takes its
 * place. To forget an explanation is asked anew, for it would be another one.
 * @param {State} state
 * @param {{ panels: Panel[], ask: State["ask"] }} next
 * @returns {Layers}
 */
export function layersStaying(state, next) {
  const old = [...state.panels, ...state.hiddenPanels];
  /** @param {string} id - of a panel; "picture" stands for itself */
  const successor = (id) => {
    const panel = old.find((each) => each.id === id);
    return panel ? next.panels.find((each) => placeOf(each, next) === placeOf(panel, state))?.id ?? null : id;
  };
  const { compare, ...open } = openedLayers(state);
  const sides = compare?.map(successor);
  for (const layer of OF_PANELS) if (layer in open) open[layer] = successor(open[layer]);
  if (open.dialog === "forget") delete open.dialog;
  return { ...open, compare: sides?.every(Boolean) ? sides : null };
}

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
