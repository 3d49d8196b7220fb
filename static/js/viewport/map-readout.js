import { arrayOf } from "../rendering/draw.js";
import { el } from "../shared/dom.js";
import { factNodes } from "../shared/panel-facts.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { crossNodes, regionFacts } from "./readout.js";

/**
 * @import { Mask } from "../arrays/mask.js"
 * @import { MapLens } from "./map-lens.js"
 */

/** Under a map: its value at the crosshair, and what share of it lies in box or mask. */
export class MapReadout extends View {
  /** @type {HTMLParagraphElement} */ cross;
  /** @type {HTMLParagraphElement} */ shares;
  /** @type {MapLens} */ lens;

  #frame = 0;
  #sharesOf = ""; // what the shares that are shown were computed from, and the map's values
  /** @type {ReturnType<typeof arrayOf> | null} */ #array = null;
  /** @type {Mask | null} */ #mask = null;

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
    this.shares.hidden = !(viewport.box || viewport.mask) || !array;
    // The shares are sums over all pixels: only when they can have changed.
    // The array itself is compared: the panels of every explanation have the same ids.
    const from = [viewport.box, rendering.reduction, panel.done].join();
    if (this.shares.hidden || (array === this.#array && viewport.mask === this.#mask && from === this.#sharesOf)) return;
    [this.#array, this.#mask, this.#sharesOf] = [array, viewport.mask, from];
    this.shares.replaceChildren(...factNodes(regionFacts(panel)));
  }
}
