import { arrayOf } from "../rendering/draw.js";
import { el } from "../shared/dom.js";
import { factNodes } from "../shared/panel-facts.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { boxFacts, crossNodes } from "./readout.js";

/** @import { MapLens } from "./map-lens.js" */

/** Under a map: its value at the crosshair, and what share of it lies in the box. */
export class MapReadout extends View {
  /** @type {HTMLParagraphElement} */ cross;
  /** @type {HTMLParagraphElement} */ shares;
  /** @type {MapLens} */ lens;

  #frame = 0;
  #sharesOf = ""; // what the shares that are shown were computed from

  build() {
    this.cross = el("p", { class: "readout-line cross-facts", hidden: true });
    this.shares = el("p", { class: "readout-line box-facts", hidden: true });
    this.append(this.cross, this.shares);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport", "rendering", "inputs"], () => this.refresh(), signal);
  }

  /**
   * `lens`: the map-lens that these facts are of.
   * @param {MapLens} lens
   */
  setLens(lens) {
    this.lens = lens;
    this.refresh();
  }

  refresh() {
    if (this.#frame || !this.lens) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.show();
    });
  }

  show() {
    const { viewport, rendering } = store.state;
    const { panel } = this.lens;
    const array = arrayOf(panel);
    this.cross.hidden = !viewport.cross || !array;
    if (!this.cross.hidden) this.cross.replaceChildren(...crossNodes(this.lens));
    this.shares.hidden = !viewport.box || !array;
    // The shares are sums over all pixels: only when they can have changed.
    const from = [viewport.box, rendering.reduction, panel.id, panel.raw ? "raw" : panel.done].join();
    if (this.shares.hidden || from === this.#sharesOf) return;
    this.#sharesOf = from;
    this.shares.replaceChildren(...factNodes(boxFacts(panel)));
  }
}
