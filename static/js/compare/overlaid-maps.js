import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { setViewport } from "../state/actions.js";
import { store } from "../state/store.js";
import { cropOf } from "../viewport/viewport.js";
import { View } from "../widgets/view.js";

/**
 * @import { Panel, Viewport } from "../state/types.js"
 * @import { MapLens } from "../viewport/map-lens.js"
 */

const BLINK_MS = 1000;

/** Two maps in one place: a line is moved over them, or one comes in place of the other. */
export class OverlaidMaps extends View {
  /** @type {MapLens} */ below;
  /** @type {MapLens} */ above;
  /** @type {HTMLParagraphElement[]} */ marks;
  /** @type {HTMLDivElement} */ well;
  /** @type {HTMLButtonElement} */ swap;
  /** @type {HTMLButtonElement} */ auto;
  /** @type {HTMLDivElement} */ controls;

  #timer = 0;
  #second = false; // B is shown

  build() {
    this.below = el("map-lens", { onopen: () => this.turn() });
    this.above = el("map-lens", { class: "above", "aria-hidden": "true" });
    this.marks = ["a", "b"].map((side) => el("p", { class: `previous-mark of-${side}` }));
    this.well = el("div", { class: "well map-well has-map" }, this.below, this.above, ...this.marks, el("split-divider", { of: "wipe" }));
    this.swap = el("button", { type: "button", class: "button", onclick: () => this.turn() });
    this.auto = el("button", { type: "button", class: "button toggle", "aria-pressed": "false", onclick: () => this.toggleAuto() }, t("compare.blink.auto"));
    this.controls = el("div", { class: "blink-controls" }, this.swap, this.auto);
    this.append(this.well, this.controls);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport"], ({ viewport }) => this.follow(viewport.how), signal);
    signal.addEventListener("abort", () => this.stop());
  }

  /** @param {Viewport["how"]} how */
  follow(how) {
    this.dataset.how = how;
    this.controls.hidden = how !== "blink";
    if (how !== "blink") this.stop();
    this.render();
  }

  /**
   * @param {[Panel, Panel]} panels
   * @param {string[]} titles
   * @param {number[] | undefined} size
   */
  show([a, b], titles, size) {
    if (size) this.well.style.aspectRatio = `${size[1]} / ${size[0]}`;
    this.above.within = cropOf(a); // so that B lies on A, also where their models saw other parts of the picture
    this.below.setPanel(a, t("panel.look", { panel: titles[0] }));
    this.above.setPanel(b);
    // `setPanel` makes a map focusable; the one above is for the eye only.
    for (const name of ["tabindex", "role", "aria-label"]) this.above.removeAttribute(name);
    this.below.canvas.setAttribute("aria-label", titles[0]);
    this.above.canvas.setAttribute("aria-label", titles[1]);
    this.marks.forEach((mark, index) => { mark.textContent = `${"AB"[index]}: ${titles[index]}`; });
    this.render();
  }

  render() {
    if (!this.swap) return;
    const blinks = this.dataset.how === "blink";
    this.toggleAttribute("second", blinks && this.#second);
    this.marks[0].hidden = blinks && this.#second;
    this.marks[1].hidden = blinks && !this.#second;
    this.swap.textContent = t(this.#second ? "compare.blink.a" : "compare.blink.b");
  }

  /** Shows the other map; where a line parts the two, moves it to the end that does so. */
  turn() {
    if (this.dataset.how === "wipe") return setViewport({ wipe: store.state.viewport.wipe < 0.5 ? 1 : 0 });
    this.#second = !this.#second;
    return this.render();
  }

  toggleAuto() {
    if (this.#timer) return this.stop();
    this.#timer = setInterval(() => this.turn(), BLINK_MS);
    return this.auto.setAttribute("aria-pressed", "true");
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.auto?.setAttribute("aria-pressed", "false");
  }
}
