// The state of the page, in one place. Elements watch it; only session.js and the controls write to it.

import { AT_REST } from "./frame.js";
import { restoredReading, rememberReading } from "./reading.js";

/** What a fresh page holds, apart from the catalogue and the reading. */
export function emptyView() {
  return {
    phase: "empty", // empty | loading | running | done | cancelled | failed
    id: null,
    picture: null, // {url, name, width, height}
    inputs: new Map(), // model id -> {size, fit, crop, url, predictions}
    panels: [],
    // fit, size: null is the model's own; options: {method: {parameter: value}}
    ask: { model: null, target: null, against: null, score: "logit", fit: null, size: null, options: {} },
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
    reading: restoredReading(),
    looking: AT_REST, // zoom, crosshair, box, comparison: see frame.js
    tool: null, // "box" while the next drag on a map draws one
    viewing: null, // the id of the panel that is open full screen
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
    return this.state.panels.find((panel) => panel.id === id);
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
