// Reads values off a drawing: where the pointer is, or by a slider for each axis. Steps have their slider always in sight.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { indexed, plain } from "./indexed.js";

/** @import { Reading, Read } from "./drawing.js" */

/** @typedef {{ place: string, values: Read[] }} Text */

const APART = 14; // pixels between the line that reads and its tip

export class Readings {
  /** @type {Reading[]} */ #readings = [];
  /** @type {number[] | null} */ #at = null; // where it reads now
  /** @type {HTMLInputElement[]} */ #sliders = [];

  /** @param {HTMLElement} plot */
  constructor(plot) {
    this.plot = plot;
    this.tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    this.steps = el("p", { class: "step-text", hidden: true });
    this.sliders = el("div", { class: "sliders" });
    this.nodes = [this.sliders, this.steps];
    plot.append(this.tip);
    for (const kind of /** @type {const} */ (["pointermove", "pointerdown"])) plot.addEventListener(kind, (event) => this.point(event));
    plot.addEventListener("pointerleave", () => this.leave());
  }

  /** @param {Reading[]} readings */
  show(readings) {
    const alike = readings.length === this.#readings.length && readings.every(({ title, steps }, index) => title === this.#readings[index].title && steps === this.#readings[index].steps);
    const ended = this.#at?.map((at, index) => at === (this.#readings[index]?.count ?? 0) - 1) ?? [];
    this.#readings = readings;
    if (!alike) this.build();
    // What stood at the last step goes on to the new last one.
    if (alike && this.#at) this.#at = this.#at.map((at, index) => (ended[index] && readings[index].steps ? readings[index].count - 1 : Math.min(at, readings[index].count - 1)));
    else this.#at = readings.some(({ first }) => first !== undefined) ? readings.map(({ first = 0 }) => first) : null;
    this.#sliders.forEach((slider, index) => { slider.max = String(Math.max(0, readings[index].count - 1)); });
    if (!this.plot.contains(this.tip)) this.plot.append(this.tip);
    this.mark();
  }

  build() {
    this.#sliders = this.#readings.map(({ title, steps, first = 0 }, index) => el("input", {
      type: "range", min: 0, step: 1, class: steps ? "steps" : "reader", "aria-label": steps ? title : t("lab.page.read", { axis: plain(title) }),
      oninput: (/** @type {any} */ event) => this.slide(index, event.target.valueAsNumber), value: first,
      onfocus: () => this.slide(index, this.#at?.[index] ?? 0), onblur: () => this.leave(),
    }));
    this.sliders.replaceChildren(...this.#sliders);
    this.steps.hidden = !this.hasSteps;
    this.tip.hidden = true;
  }

  get hasSteps() {
    return this.#readings.some(({ steps }) => steps);
  }

  /**
   * @param {number} index
   * @param {number} to
   */
  slide(index, to) {
    this.#at = this.#readings.map((_, each) => (each === index ? to : (this.#at?.[each] ?? 0)));
    this.mark();
  }

  /** @param {PointerEvent} event */
  point({ clientX, clientY }) {
    const drawing = this.plot.querySelector("svg");
    if (!drawing || !this.#readings.length || this.hasSteps) return;
    const { left, top } = drawing.getBoundingClientRect();
    this.#at = this.#readings.map(({ at }) => at(clientX - left, clientY - top));
    this.mark();
  }

  /** Nothing is read any more. */
  leave() {
    if (this.hasSteps || this.#sliders.includes(/** @type {any} */ (document.activeElement))) return;
    this.#at = null;
    this.plot.querySelector(".cursor")?.replaceChildren();
    this.tip.hidden = true;
  }

  mark() {
    const all = this.#at;
    const reading = this.#readings.at(-1);
    if (!all || !reading?.count) return;
    const index = all[all.length - 1];
    reading.mark(index, all);
    const text = reading.text(index, all);
    this.#sliders.forEach((slider, each) => {
      slider.value = String(all[each]);
      slider.setAttribute("aria-valuetext", inWords(text));
    });
    if (this.hasSteps) this.steps.replaceChildren(...linesOf(text));
    else this.showTip(text);
  }

  /** @param {Text} text */
  showTip(text) {
    const cursor = /** @type {SVGGElement | null} */ (this.plot.querySelector(".cursor"));
    if (!cursor) return;
    this.tip.replaceChildren(...linesOf(text));
    this.tip.hidden = false;
    const { x, y, width } = cursor.getBBox();
    const right = x + width + APART + this.tip.offsetWidth <= this.plot.clientWidth;
    this.tip.style.left = `${Math.max(0, right ? x + width + APART : x - APART - this.tip.offsetWidth)}px`;
    this.tip.style.top = `${y + 4}px`;
  }
}

/** @param {Text} text */
const inWords = ({ place, values }) => plain([place, ...values.map(({ name, value }) => (name ? `${name} ${value}` : value))].join("; "));

/** @param {Text} text */
const linesOf = ({ place, values }) => [
  el("span", { class: "read-place" }, ...indexed(place)),
  ...values.map(({ name, kind, value }) => el("span", { class: `read-value ${kind}` }, ...(name ? [el("span", { class: "read-name" }, ...indexed(name))] : []), el("b", {}, value))),
];
