// What a fresh page holds.

/** @import { Ask, Layout, Viewport, ViewState } from "./types.js" */

/** @returns {Ask} */
export function emptyAsk() {
  return { models: [], targets: [], methods: null, options: {}, against: null, score: "logit", seed: 0, fit: null, size: null };
}

/** @returns {Layout} */
export const emptyLayout = () => ({ rows: [], hiddenRows: [], hiddenMethods: [] });

/** @returns {ViewState} */
export function emptyView() {
  return {
    phase: "empty",
    id: null,
    picture: null,
    inputs: new Map(),
    panels: [],
    hiddenPanels: [],
    ask: emptyAsk(),
    layout: emptyLayout(),
    row: null,
    notice: null,
    seconds: null,
    previous: null,
    blink: null,
  };
}

/** @type {Viewport} */
export const RESTING_VIEWPORT = { zoom: 1, centre: null, cross: null, box: null, mask: null, compare: null, how: "side", wipe: 0.5, split: null, panel: null };
