// The state of the page, in one place. Elements watch it; actions.js alone writes it.

import { restoredSettings } from "../rendering/settings.js";
import { emptyView, RESTING_VIEWPORT } from "./initial.js";

class Store extends EventTarget {
  state = {
    ...emptyView(),
    models: null, // {default, downloads, models, faults}
    downloads: [], // {model, status: offered | forbidden | running | stopped | failed | ready, done, total, problem}
    methods: null,
    samples: null,
    palettes: null,
    pictures: [], // the strip: {key, url, name, source, id}
    rendering: restoredSettings(),
    viewport: RESTING_VIEWPORT,
    tool: null, // "box" while the next drag on a map draws one
    viewedPanel: null, // the id of the panel that is open full screen
    parametersOf: null, // the id of the method whose parameters are being set
    flowRow: null, // the key of the row whose gradient flow is open
    metricsPanel: null, // the id of the panel whose metrics are open
  };

  set(patch) {
    Object.assign(this.state, patch);
    this.dispatchEvent(new CustomEvent("change", { detail: Object.keys(patch) }));
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
