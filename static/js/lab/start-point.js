// Where the paths on a surface start: set by a press on it, or by a slider for each axis.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { axisTitle } from "./words.js";

/** @import { ContourData } from "./types.js" */

const STEPS = 100;

export class StartPoint {
  /** @type {ContourData | null} */ #data = null;
  /** @type {((left: number, top: number) => [number, number]) | null} */ #placeAt = null;
  #pressed = false;

  /**
   * @param {HTMLElement} plot
   * @param {(parameter: string, value: any, done: boolean) => void} change
   */
  constructor(plot, change) {
    this.plot = plot;
    this.change = change;
    this.inputs = [0, 1].map((axis) => el("input", { type: "range", oninput: () => this.slide(false), onchange: () => this.slide(true), "data-axis": axis }));
    this.names = this.inputs.map(() => el("span"));
    this.node = el("div", { class: "start-point", hidden: true }, el("p", { class: "small muted" }, t("lab.page.press")),
      ...this.inputs.map((input, index) => el("label", { class: "small" }, this.names[index], input)));
    plot.addEventListener("pointerdown", (event) => this.press(event, true));
    plot.addEventListener("pointermove", (event) => this.#pressed && this.press(event, false));
    for (const kind of /** @type {const} */ (["pointerup", "pointercancel"])) plot.addEventListener(kind, () => this.release());
  }

  /**
   * @param {ContourData} data
   * @param {(left: number, top: number) => [number, number]} placeAt
   */
  show(data, placeAt) {
    this.#data = data;
    this.#placeAt = placeAt;
    this.node.hidden = !data.start;
    this.plot.classList.toggle("is-start", Boolean(data.start));
    const first = data.paths[0];
    [data.columns, data.rows].forEach((values, axis) => {
      const [low, high] = [values[0], values[values.length - 1]];
      const input = this.inputs[axis];
      Object.assign(input, { min: String(low), max: String(high), step: String(Number(((high - low) / STEPS).toPrecision(3))) });
      this.names[axis].textContent = t("lab.page.start", { axis: axisTitle(axis ? data.y : data.x) });
      const at = (axis ? first?.y : first?.x)?.[0];
      if (typeof at === "number" && input !== document.activeElement) input.value = String(at);
    });
  }

  /** @param {boolean} done */
  slide(done) {
    if (this.#data?.start) this.change(this.#data.start, this.inputs.map((input) => input.valueAsNumber), done);
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} down
   */
  press({ clientX, clientY, target, pointerId }, down) {
    const drawing = this.plot.querySelector("svg");
    if (!this.#data?.start || !this.#placeAt || !drawing || !drawing.contains(/** @type {Node} */ (target))) return;
    if (down) {
      this.#pressed = true;
      this.plot.setPointerCapture(pointerId);
    }
    const { left, top } = drawing.getBoundingClientRect();
    this.change(this.#data.start, this.#placeAt(clientX - left, clientY - top), false);
  }

  release() {
    if (!this.#pressed) return;
    this.#pressed = false;
    const start = this.#data?.start;
    if (start) this.change(start, undefined, true);
  }
}
