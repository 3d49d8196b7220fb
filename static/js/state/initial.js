// What a fresh page holds.

/** The question: models × targets are rows, methods columns. */
export function emptyAsk() {
  return {
    models: [], // ids; empty: the server's default model
    targets: [], // {index, label}, or null for each model's top class; empty: that alone
    methods: null, // ids; null: the server's default methods
    options: {}, // {method: {parameter: value}}, without what is the default
    against: null, // {index, label}
    score: "logit",
    seed: 0,
    fit: null, // fit, size: null is the model's own
    size: null,
  };
}

/** Which rows and columns stand where: keys of rows as in rows.js, ids of methods. */
export const emptyLayout = () => ({ rows: [], hiddenRows: [], hiddenMethods: [] });

/** All of a fresh page but the catalogue, the strip of pictures, and how maps are rendered. */
export function emptyView() {
  return {
    phase: "empty", // empty | loading | running | done | cancelled | failed
    id: null,
    picture: null, // {key, url, name, width, height}
    inputs: new Map(), // model id -> {size, fit, crop, url, predictions, targets}
    panels: [], // those that are shown, row by row in the order shown
    aside: [], // those of hidden rows and columns
    ask: emptyAsk(),
    layout: emptyLayout(),
    row: null, // the key of the row that picture, predictions and question belong to; null: the first
    notice: null, // {place: "picture" | "ask" | "grid", problem, retry}
    seconds: null,
  };
}

/** What is magnified, marked and compared in no picture in particular. Plain JSON; places are pixels of the original. */
export const RESTING_VIEWPORT = {
  zoom: 1, // of every panel, 1 … 16
  centre: null, // [x, y], null: the middle of each panel
  cross: null, // [x, y] of the crosshair
  box: null, // [x0, y0, x1, y1]
  compare: null, // ids of two panels
  split: null, // 0 … 1: how much of the full screen is the picture
  panel: null, // the id of the panel that was looked at last
};
