// The state of the page, in one place. Elements watch it; actions.js alone writes it.

import { restoredSettings } from "../rendering/settings.js";
import { t } from "../shared/texts.js";
import { emptyView, RESTING_VIEWPORT } from "./initial.js";

/** @import { Panel, State } from "./types.js" */

class Store extends EventTarget {
  /** @type {State} */
  state = {
    ...emptyView(),
    models: null,
    downloads: [],
    methods: null,
    classNames: {},
    samples: null,
    palettes: null,
    pictures: [],
    strip: null, // the name under which this browser keeps the pictures
    pictureJobs: {},
    paused: false, // whether only the picture shown is computed
    overview: false, // all pictures are shown
    rendering: restoredSettings(),
    viewport: RESTING_VIEWPORT,
    tool: null,
    brush: { size: 8, erase: false },
    viewedPanel: null,
    parametersOf: null,
    flowRow: null,
    metricsPanel: null,
    metricsAt: null,
    checksTable: null,
    checks: null,
    layersOf: null,
    sheet: null,
    dialog: null,
  };

  /** @param {Partial<State>} patch */
  set(patch) {
    Object.assign(this.state, patch);
    this.dispatchEvent(new CustomEvent("change", { detail: Object.keys(patch) }));
  }

  /** @param {string | null} id */
  panel(id) {
    return this.state.panels.find((panel) => panel.id === id) ?? this.state.hiddenPanels.find((panel) => panel.id === id);
  }

  /**
   * Changes one panel; only the elements that show this panel hear of it.
   * @param {string} id
   * @param {Partial<Panel>} patch
   */
  setPanel(id, patch) {
    const panel = this.panel(id);
    if (!panel) return;
    Object.assign(panel, patch);
    this.dispatchEvent(new CustomEvent("panel", { detail: id }));
  }

  /**
   * Calls `run` now, and whenever one of the keys is set, until the signal aborts.
   * @param {(keyof State)[]} keys
   * @param {(state: State) => void} run
   * @param {AbortSignal} [signal]
   */
  watch(keys, run, signal) {
    this.addEventListener("change", (event) => {
      const set = /** @type {CustomEvent<(keyof State)[]>} */ (event).detail;
      if (set.some((key) => keys.includes(key))) run(this.state);
    }, { signal });
    run(this.state);
  }

  /**
   * Calls `run` with the id of each panel that is changed, until the signal aborts.
   * @param {(id: string) => void} run
   * @param {AbortSignal} signal
   */
  watchPanels(run, signal) {
    this.addEventListener("panel", (event) => run(/** @type {CustomEvent<string>} */ (event).detail), { signal });
  }
}

// Scripts of another version, after an update of the server, would work with an empty store of their own.
if (document.documentElement.dataset.store !== undefined) throw new Error(t("problem.outdated"));
document.documentElement.dataset.store = "";

export const store = new Store();
