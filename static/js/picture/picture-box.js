import { el } from "../shared/dom.js";
import { setTool, setViewport } from "../state/actions.js";
import { shownInput } from "../state/models.js";
import { store } from "../state/store.js";
import { brushRadius, stroke } from "../viewport/brush.js";
import { boxBetween, frameOf, fromWindow, toPicture } from "../viewport/geometry.js";
import { MaskLayer } from "../viewport/mask-layer.js";
import { View } from "../widgets/view.js";

const SLOP = 4;
/** @param {number} fraction */
const percent = (fraction) => `${100 * fraction}%`;

/**
 * Lies over the picture: a drag draws the box, or the mask while its brush is taken. Box, mask and crosshair stand where they are
 * in the maps; while these are magnified, a frame shows what part of the picture they show.
 */
export class PictureBox extends View {
  /** @type {HTMLDivElement} */ box;
  /** @type {MaskLayer} */ mask;
  /** Where the brush is. @type {HTMLDivElement} */ brush;
  /** The crosshair. @type {HTMLDivElement} */ spot;
  /** The frame of what magnified maps show. @type {HTMLDivElement} */ window;

  #frame = 0;

  build() {
    this.box = el("div", { class: "box", hidden: true });
    this.spot = el("div", { class: "spot", hidden: true });
    this.setAttribute("aria-hidden", "true");
    this.window = el("div", { class: "window", hidden: true });
    this.mask = new MaskLayer();
    this.brush = el("div", { class: "brush", hidden: true });
    this.append(this.window, this.mask.node, this.box, this.spot, this.brush);
    this.listenForDrags();
  }

  listenForDrags() {
    /** @type {{ place: number[], x: number, y: number } | null} */
    let from = null;
    this.addEventListener("pointerdown", (event) => {
      const { tool } = store.state;
      if (event.button !== 0 || !event.isPrimary || (event.pointerType === "touch" && !tool)) return;
      from = { place: this.placeOf(event), x: event.clientX, y: event.clientY };
      if (tool !== "mask") return;
      this.setPointerCapture(event.pointerId);
      stroke(from.place);
    });
    this.addEventListener("pointermove", (event) => {
      if (store.state.tool === "mask") {
        const place = this.placeOf(event);
        setViewport({ cross: place });
        if (from) stroke(from.place, place);
        if (from) from.place = place;
        return;
      }
      if (!from || Math.hypot(event.clientX - from.x, event.clientY - from.y) < SLOP) return;
      this.setPointerCapture(event.pointerId);
      setViewport({ box: boxBetween(from.place, this.placeOf(event)) ?? store.state.viewport.box });
    });
    const end = () => {
      if (from && store.state.tool === "box") setTool(null);
      from = null;
    };
    this.addEventListener("pointerup", end);
    this.addEventListener("pointercancel", end);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport", "tool", "brush", "picture", "inputs", "ask", "models"], () => this.refresh(), signal);
    this.size.image.addEventListener("load", () => this.refresh(), { signal });
  }

  /** With the next frame: the picture is placed by then, whoever heard of the change first. */
  refresh() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.show();
    });
  }

  /** The picture in its own pixels; where it was padded, the stage around it is larger. */
  get size() {
    const { picture } = store.state;
    const image = /** @type {HTMLImageElement} */ (this.parentElement?.querySelector(".original"));
    return { image, width: picture?.width ?? image.naturalWidth, height: picture?.height ?? image.naturalHeight };
  }

  /** @param {PointerEvent} event */
  placeOf({ clientX, clientY }) {
    const { image, width, height } = this.size;
    const on = image.getBoundingClientRect();
    return toPicture([(clientX - on.left) / on.width, (clientY - on.top) / on.height], [0, 0, width, height]);
  }

  show() {
    const { viewport: { box, cross, mask }, tool } = store.state;
    const { image, width, height } = this.size;
    this.classList.toggle("marking", tool !== null);
    this.spot.hidden = !cross || !width || tool === "mask";
    // The stage is a frame around picture and crop: this element lies where the picture does.
    Object.assign(this.style, { left: image.style.left, top: image.style.top, width: image.style.width, height: image.style.height });
    const radius = brushRadius();
    this.put(this.box, box);
    this.mask.show(mask);
    this.put(this.mask.node, mask?.place ?? null);
    this.put(this.brush, tool === "mask" && cross ? [cross[0] - radius, cross[1] - radius, cross[0] + radius, cross[1] + radius] : null);
    if (cross && width) Object.assign(this.spot.style, { left: percent(cross[0] / width), top: percent(cross[1] / height) });
    this.showWindow(width, height);
  }

  /**
   * Places a mark on the picture.
   * @param {HTMLElement} node
   * @param {number[] | null} box - in pixels of the picture
   */
  put(node, box) {
    const { width, height } = this.size;
    node.hidden = !box || !width;
    if (!box || !width) return;
    const [x0, y0, x1, y1] = box;
    Object.assign(node.style, { left: percent(x0 / width), top: percent(y0 / height), width: percent((x1 - x0) / width), height: percent((y1 - y0) / height) });
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  showWindow(width, height) {
    const { viewport } = store.state;
    const crop = shownInput()?.crop;
    this.window.hidden = viewport.zoom === 1 || !crop || !width;
    if (this.window.hidden || !crop) return;
    const frame = frameOf(viewport, crop);
    const [left, top] = toPicture(fromWindow([0, 0], frame), crop);
    const [right, bottom] = toPicture(fromWindow([1, 1], frame), crop);
    Object.assign(this.window.style, { left: percent(left / width), top: percent(top / height), width: percent((right - left) / width), height: percent((bottom - top) / height) });
  }
}
