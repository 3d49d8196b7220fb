import { el } from "../shared/dom.js";
import { commandOf } from "../shared/keys.js";
import { t } from "../shared/texts.js";
import { setViewport } from "../state/actions.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { clamp } from "./geometry.js";

/** @type {Record<string, number>} */
const STEPS = { left: -0.01, right: 0.01, farLeft: -0.1, farRight: 0.1, start: -1, end: 1 };

/** The line between picture and map, or with `of="wipe"` between two maps. The CSS variable --split or --wipe clips the upper one. */
export class SplitDivider extends View {
  /** @type {HTMLDivElement} */ handle;

  /** @returns {"split" | "wipe"} */
  get of() {
    return this.getAttribute("of") === "wipe" ? "wipe" : "split";
  }

  build() {
    this.handle = el("div", { class: "split-handle", role: "slider", tabindex: "0", "aria-label": t(`${this.of}.label`), "aria-valuemin": "0", "aria-valuemax": "100" });
    this.append(this.handle);
    this.handle.addEventListener("pointerdown", (event) => {
      this.handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      this.handle.focus();
    });
    this.handle.addEventListener("pointermove", (event) => this.handle.hasPointerCapture(event.pointerId) && this.drag(event));
    this.handle.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport"], ({ viewport }) => this.show(viewport[this.of]), signal);
  }

  /** @param {number | null} split */
  show(split) {
    this.hidden = split === null;
    this.parentElement?.style.setProperty(`--${this.of}`, String(split ?? 0));
    if (split === null) return;
    const percent = Math.round(100 * split);
    this.handle.setAttribute("aria-valuenow", String(percent));
    this.handle.setAttribute("aria-valuetext", t(`${this.of}.value`, { percent }));
  }

  /** @param {PointerEvent} event */
  drag({ clientX }) {
    const { left, width } = /** @type {HTMLElement} */ (this.parentElement).getBoundingClientRect();
    setViewport({ [this.of]: clamp((clientX - left) / width, 0, 1) });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const command = commandOf("divider", event);
    if (!command) return;
    event.preventDefault();
    setViewport({ [this.of]: clamp((store.state.viewport[this.of] ?? 0) + STEPS[command], 0, 1) });
  }
}
