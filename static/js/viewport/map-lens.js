import { appearanceOf, arrayOf, draw, limitOf, mapOf } from "../rendering/draw.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { setViewport } from "../state/actions.js";
import { inputOf } from "../state/models.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { brushRadius } from "./brush.js";
import { boxToPanel, frameOf, middleOf, toPanel, toPicture, toWindow } from "./geometry.js";
import { listenForGestures } from "./gestures.js";
import { listenForKeys } from "./keyboard.js";
import { MaskLayer } from "./mask-layer.js";
import { cropOf, crossedPixel, panelName } from "./viewport.js";

/**
 * @import { RawArray, Settings } from "../rendering/types.js"
 * @import { Panel } from "../state/types.js"
 * @import { Frame } from "./geometry.js"
 */

/** @param {number} fraction */
const percent = (fraction) => `${100 * fraction}%`;

/**
 * How a layer comes to lie where its crop does; `place` is that of the crop, in fractions of the window.
 * @param {Frame} frame
 * @param {number[]} place
 */
function transformOf(frame, [u0, v0, u1, v1]) {
  const [left, top] = toWindow([u0, v0], frame);
  const [across, down] = [frame.zoom * (u1 - u0), frame.zoom * (v1 - v0)];
  return left || top || across !== 1 || down !== 1 ? `translate(${percent(left)}, ${percent(top)}) scale(${across}, ${down})` : "";
}

/**
 * One map over what its model saw, through the zoom that all maps share, with crosshair, box and mask.
 * Sends "drawn" with what the scale bar needs, "open" when it is to be seen full screen.
 */
export class MapLens extends View {
  /** @type {HTMLImageElement} */ seen;
  /** @type {HTMLCanvasElement} */ canvas;
  /** @type {HTMLImageElement} */ preview;
  /** @type {HTMLDivElement} */ over;
  /** @type {HTMLDivElement} */ across;
  /** @type {HTMLDivElement} */ down;
  /** @type {HTMLDivElement} */ box;
  /** @type {MaskLayer} */ mask;
  /** Where the brush is. @type {HTMLDivElement} */ brush;
  /** @type {Panel} */ panel;

  dragged = false; // the click that follows a drag is none
  #frame = 0;
  #drawn = "";
  /** @type {RawArray | null} */
  #array = null;
  /** @type {Settings | null} */
  own = null; // where this map is not to be rendered as the others are
  /** @type {number[] | null} */
  within = null; // the crop of another map, in whose place this one lies

  build() {
    this.seen = el("img", { class: "seen", alt: "", hidden: true, draggable: "false" });
    this.canvas = el("canvas", { class: "map", role: "img", hidden: true });
    this.preview = el("img", { class: "map preview-map", alt: "", hidden: true, draggable: "false" });
    this.over = el("div", { class: "over" }, this.canvas, this.preview);
    this.across = el("div", { class: "cross across", hidden: true });
    this.down = el("div", { class: "cross down", hidden: true });
    this.box = el("div", { class: "box", hidden: true });
    this.mask = new MaskLayer();
    this.brush = el("div", { class: "brush", hidden: true });
    const marks = [this.mask.node, this.across, this.down, this.box, this.brush];
    this.append(this.seen, this.over, el("div", { class: "marks", "aria-hidden": "true" }, ...marks));
    listenForGestures(this);
    listenForKeys(this);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["rendering", "palettes"], () => this.redraw(), signal);
    store.watch(["viewport", "tool", "brush", "inputs"], () => this.redraw(), signal);
    // On a scale that is shared, another panel's array may change this one's.
    store.watchPanels(() => store.state.rendering.scale !== "own" && this.redraw(), signal);
  }

  /** Whether it is large: then wheel and finger are its own. */
  get fullscreen() {
    return this.hasAttribute("fullscreen");
  }

  get ready() {
    return Boolean(arrayOf(this.panel));
  }

  get rendering() {
    return this.own ?? store.state.rendering;
  }

  get crop() {
    return cropOf(this.panel);
  }

  /** Whether the map lies over all of the picture: then a browser need not paint that. */
  get covers() {
    const { overlay } = store.state.rendering; // one for all lenses
    return overlay === 100 && this.rendering.show === "map" && !this.fullscreen && !this.panel.picture;
  }

  /** What of the original its window shows before it is magnified. */
  get window() {
    return this.within ?? this.crop;
  }

  /** The panels that may share a scale: a map of the previous question shares it with the others of that question. */
  get others() {
    const { panels, previous } = store.state;
    return previous && this.panel.input ? [...previous.maps.values()] : panels;
  }

  /**
   * @param {Panel} panel
   * @param {string} label
   */
  setPanel(panel, label = t("panel.look", { panel: panelName(panel) })) {
    this.panel = panel;
    const { url } = inputOf(panel) ?? {};
    // After the array: under a map, and on a slow connection, the picture can wait.
    if (url && this.ready && this.seen.getAttribute("src") !== url) this.seen.src = url;
    if (!url) this.seen.removeAttribute("src");
    if (this.ready) {
      this.tabIndex = 0;
      this.setAttribute("role", "application");
      this.setAttribute("aria-label", label);
    } else for (const name of ["tabindex", "role", "aria-label"]) this.removeAttribute(name);
    this.redraw();
  }

  /** @param {number[]} cross */
  point(cross) {
    setViewport({ cross, panel: this.panel.id });
  }

  /** Drawn with the next frame, once, however many reasons there were. */
  redraw() {
    if (this.#frame || !this.panel) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.paint();
      this.place();
    });
  }

  /** A small picture of the map until its array is here, as long as it is coloured as the maps are. */
  showPreview() {
    const { preview } = this.panel;
    this.preview.hidden = this.ready || preview?.rendering !== this.rendering;
    if (this.preview.hidden) this.preview.removeAttribute("src");
    else if (preview) this.preview.src = preview.url;
  }

  /** The pixels, where something that they depend on has changed. */
  paint() {
    const { rendering } = this;
    this.showPreview();
    this.classList.toggle("covered", this.covers);
    const array = arrayOf(this.panel);
    const limit = array ? limitOf(this.panel, { panels: this.others, rendering }) : 0;
    const { picture } = this.panel;
    const drawn = picture ? "picture" : store.state.palettes && array ? appearanceOf(rendering, limit) : "";
    if (drawn === this.#drawn && array === this.#array) return;
    this.#drawn = drawn;
    this.#array = array;
    if (picture) {
      this.canvas.hidden = true;
      this.seen.hidden = false;
      return;
    }
    const scale = draw(this.canvas, this.panel, { ...store.state, rendering }, limit);
    this.canvas.hidden = this.seen.hidden = !scale;
    this.dispatchEvent(new CustomEvent("drawn", { detail: scale }));
  }

  /** Zoom, crosshair, box and mask. */
  place() {
    if (!this.ready) {
      for (const mark of [this.across, this.down, this.box, this.mask.node, this.brush]) mark.hidden = true;
      return;
    }
    const { viewport, tool } = store.state;
    const frame = frameOf(viewport, this.window);
    this.classList.toggle("magnified", frame.zoom > 1);
    this.classList.toggle("marking", tool !== null);
    const transform = transformOf(frame, boxToPanel(this.crop, this.window));
    for (const layer of [this.seen, this.canvas]) if (layer.style.transform !== transform) layer.style.transform = transform;
    this.showCross(frame);
    this.showBox(this.box, frame, viewport.box);
    this.mask.show(viewport.mask);
    this.showBox(this.mask.node, frame, viewport.mask?.place ?? null);
    this.showBrush(frame);
  }

  /** @param {Frame} frame */
  showCross(frame) {
    const map = mapOf(this.panel, this.rendering);
    const pixel = crossedPixel(map, this.crop);
    this.across.hidden = this.down.hidden = !pixel || store.state.tool === "mask"; // the brush tells the place then
    if (!map || !pixel) return;
    const [left, top] = toWindow(toPanel(toPicture(middleOf(pixel, map), this.crop), this.window), frame);
    this.across.style.top = percent(top);
    this.down.style.left = percent(left);
  }

  /** @param {Frame} frame */
  showBrush(frame) {
    const { viewport: { cross }, tool } = store.state;
    const radius = brushRadius();
    this.showBox(this.brush, frame, tool === "mask" && cross ? [cross[0] - radius, cross[1] - radius, cross[0] + radius, cross[1] + radius] : null);
  }

  /**
   * @param {HTMLElement} node
   * @param {Frame} frame
   * @param {number[] | null} box
   */
  showBox(node, frame, box) {
    node.hidden = !box;
    if (!box) return;
    const [u0, v0, u1, v1] = boxToPanel(box, this.window);
    const [left, top] = toWindow([u0, v0], frame);
    const [right, bottom] = toWindow([u1, v1], frame);
    Object.assign(node.style, { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) });
  }
}
