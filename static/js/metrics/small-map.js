import { appearanceOf, draw, limitOf, mapOf } from "../rendering/draw.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { whenNear } from "./metric-maps.js";

/** @import { RawArray, Settings } from "../rendering/types.js" */

/** A map that a metric computed, rendered with the settings of the grid, but always on a scale of its own. */
export class SmallMap extends View {
  /** @type {HTMLCanvasElement} */ canvas;
  /** @type {HTMLSpanElement} */ message;
  /** @type {(() => RawArray | Promise<RawArray>) | undefined} */ load;

  /** @type {RawArray | null} */
  #raw = null;
  #drawn = "";

  build() {
    this.classList.add("well", "small-map");
    this.canvas = el("canvas", { "aria-hidden": "true" }); // its caption says what it is
    this.message = el("span", { class: "small muted", hidden: true });
    this.append(this.canvas, this.message);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["rendering", "palettes"], () => this.paint(), signal);
    if (this.load && !this.#raw) whenNear(this, () => this.fetch());
  }

  /**
   * `load` fetches the array; it is called when this element comes near the window.
   * @param {() => any} load
   */
  loadWith(load) {
    this.load = load;
    return this;
  }

  async fetch() {
    try {
      this.#raw = (await this.load?.()) ?? null;
      this.paint();
    } catch (error) {
      this.message.textContent = t("problem.array");
      this.message.title = error.message;
      this.message.hidden = false;
    }
  }

  paint() {
    const { palettes } = store.state;
    if (!this.#raw || !palettes) return;
    const rendering = /** @type {Settings} */ ({ ...store.state.rendering, scale: "own" });
    const panel = { raw: this.#raw };
    const map = mapOf(panel, rendering);
    if (!map) return;
    const limit = limitOf(panel, { rendering, panels: [] });
    const drawn = appearanceOf(rendering, limit);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.style.aspectRatio = `${map.width} / ${map.height}`;
    draw(this.canvas, panel, { rendering, palettes }, limit);
  }
}
