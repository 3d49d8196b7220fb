// The state of the page, in one place. Elements watch it; only controller.js, its helpers and the controls write to it.

import { AT_REST } from "../viewport/geometry.js";
import { restoredReading, rememberReading } from "../rendering/reduction.js";

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

/** What a fresh page holds, apart from the catalogue, the strip of pictures and the reading. */
export function emptyView() {
  return {
    phase: "empty", // empty | loading | running | done | cancelled | failed
    id: null,
    picture: null, // {key, url, name, width, height}
    inputs: new Map(), // model id -> {size, fit, crop, url, predictions, targets}
    panels: [], // those that are shown, row by row in the order shown
    aside: [], // those of hidden rows and columns
    ask: emptyAsk(),
    layout: { rows: [], hiddenRows: [], hiddenMethods: [] }, // keys of rows as in rows.js; ids of methods
    row: null, // the key of the row that picture, predictions and question belong to; null: the first
    notice: null, // {place: "picture" | "ask" | "grid", problem, retry}
    seconds: null,
  };
}

class Store extends EventTarget {
  state = {
    ...emptyView(),
    models: null, // {default, downloads, models, faults}
    downloads: [], // {model, status: offered | forbidden | running | stopped | failed | ready, done, total, problem}
    methods: null,
    samples: null,
    palettes: null,
    pictures: [], // the strip: {key, url, name, source, id}
    reading: restoredReading(),
    looking: AT_REST, // zoom, crosshair, box, comparison: see viewport/geometry.js
    tool: null, // "box" while the next drag on a map draws one
    viewing: null, // the id of the panel that is open full screen
    setting: null, // the id of the method whose parameters are being set
    flowing: null, // the key of the row whose gradient flow is open
    trusting: null, // the id of the panel whose trust panel is open
  };

  set(patch) {
    Object.assign(this.state, patch);
    this.dispatchEvent(new CustomEvent("change", { detail: Object.keys(patch) }));
  }

  read(patch) {
    this.set({ reading: { ...this.state.reading, ...patch } });
    rememberReading(this.state.reading);
  }

  panel(id) {
    return this.state.panels.find((panel) => panel.id === id) ?? this.state.aside.find((panel) => panel.id === id);
  }

  /** Changes one panel; only the elements that show this panel hear of it. */
  setPanel(id, patch) {
    const panel = this.panel(id);
    if (!panel) return;
    Object.assign(panel, patch);
    this.dispatchEvent(new CustomEvent("panel", { detail: id }));
  }

  /** Calls `run` now, and whenever one of the keys is set, until the signal aborts. */
  watch(keys, run, signal) {
    this.addEventListener("change", ({ detail }) => {
      if (detail.some((key) => keys.includes(key))) run(this.state);
    }, { signal });
    run(this.state);
  }
}

export const store = new Store();
