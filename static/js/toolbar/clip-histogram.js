import { histogramOf } from "../arrays/statistics.js";
import { limitOf, mapOf } from "../rendering/draw.js";
import { contextOf, el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { store } from "../state/store.js";
import { currentPanel, panelName } from "../viewport/viewport.js";
import { View } from "../widgets/view.js";

/** @import { ReducedMap } from "../rendering/types.js" */

const BINS = 50;
const HEIGHT = 14;

/** How often each magnitude occurs in the map that is looked at, on a logarithmic scale, with a mark at the clip. */
export class ClipHistogram extends View {
  /** @type {HTMLCanvasElement} */ canvas;
  /** @type {HTMLDivElement} */ clip;

  #frame = 0;
  /** @type {ReducedMap | null} */
  #map = null;

  build() {
    this.canvas = el("canvas", { width: BINS * 2, height: HEIGHT });
    this.clip = el("div", { class: "clip-mark" });
    this.setAttribute("role", "img");
    this.append(this.canvas, this.clip);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["rendering", "viewport", "viewedPanel", "panels"], () => this.refresh(), signal);
    store.watchPanels(() => this.refresh(), signal);
  }

  refresh() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.show();
    });
  }

  show() {
    const { rendering } = store.state;
    const panel = store.panel(store.state.viewedPanel) ?? currentPanel();
    const map = panel && mapOf(panel, rendering);
    this.hidden = !map;
    if (!map) return;
    const most = map.magnitudes[map.magnitudes.length - 1];
    this.clip.style.left = `${100 * (most > 0 ? Math.min(1, limitOf(panel, store.state) / most) : 1)}%`;
    if (map === this.#map) return;
    this.#map = map;
    this.draw(histogramOf(map, BINS));
    this.title = t("histogram.of", { panel: panelName(panel) });
    this.setAttribute("aria-label", this.title);
  }

  /** @param {number[]} counts */
  draw(counts) {
    const context = contextOf(this.canvas);
    const most = Math.log1p(Math.max(...counts));
    context.clearRect(0, 0, this.canvas.width, HEIGHT);
    context.fillStyle = "#808285"; // stands out from a light ground and from a dark one
    counts.forEach((count, bin) => {
      const height = count ? Math.max(1, (HEIGHT * Math.log1p(count)) / most) : 0;
      context.fillRect(2 * bin, HEIGHT - height, 2, height);
    });
  }
}
