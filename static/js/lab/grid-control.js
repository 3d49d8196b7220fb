// The control of a grid of numbers: how many rows and columns it has, numbers that are drawn, and what is wrong with it. Its
// numbers are edited in a figure.

import { t } from "../shared/texts.js";
import { isGrid } from "./address.js";
import { complaintOf } from "./number-control.js";

/** @import { Declared } from "./types.js" */

/** @typedef {number[][]} Numbers */

/**
 * What is wrong with a grid, in words; null where nothing is.
 * @param {Declared} declared
 * @param {unknown} value
 */
export function gridComplaint({ low, high, columns, cell, follows = [] }, value) {
  if (!isGrid(value)) return t("lab.page.number");
  if (follows.length && !value.length) return null;
  const [least, most] = columns ?? [1, null];
  const [rows, across] = [value.length, value[0]?.length ?? 0];
  const fits = rows >= (low ?? 1) && rows <= (high ?? Infinity) && across >= least && across <= (most ?? Infinity);
  if (!fits) return t("lab.page.grids.shape", { rows: high ?? rows, columns: most ?? across });
  return cell ? (value.flat().map((number) => complaintOf(cell, number)).find(Boolean) ?? null) : null;
}

export class GridControl {
  /** @type {Map<string, number>} */ #known = new Map(); // numbers that were there before it was made smaller

  /**
   * @param {HTMLElement} place
   * @param {Declared} declared
   * @param {{ get: () => Numbers, take: (value: Numbers, used?: Element) => void }} field
   */
  constructor(place, declared, field) {
    this.sides = /** @type {HTMLInputElement[]} */ ([...place.querySelectorAll("[data-side]")]);
    this.declared = declared;
    this.field = field;
    for (const side of this.sides) side.addEventListener("input", () => this.resize(side));
    for (const side of this.sides) side.addEventListener("blur", () => this.show(this.field.get()));
    place.querySelector("[data-draw-grid]")?.addEventListener("click", () => this.draw());
    place.querySelector("[data-empty-grid]")?.addEventListener("click", () => field.take(declared.initial));
  }

  /** @param {HTMLInputElement} used */
  resize(used) {
    const [rows, columns] = this.sides.map((side) => side.valueAsNumber);
    if (!this.sides.every((side) => side.value && side.validity.valid)) return;
    this.field.take(Array.from({ length: rows }, (_, y) => Array.from({ length: columns }, (_, x) => this.#known.get(`${y},${x}`) ?? 0)), used);
  }

  /** Whole numbers between the least and the greatest of the defaults. */
  draw() {
    const usual = this.declared.initial.flat();
    const [low, high] = [Math.min(...usual), Math.max(...usual)];
    this.field.take(this.field.get().map((row) => row.map(() => low + Math.floor(Math.random() * (high - low + 1)))));
  }

  /**
   * @param {Numbers} value
   * @param {Element} [used]
   */
  show(value, used) {
    value.forEach((row, y) => row.forEach((number, x) => this.#known.set(`${y},${x}`, number)));
    const sizes = [value.length, value[0]?.length ?? 0];
    this.sides.forEach((side, index) => { if (side !== used) side.value = String(sizes[index]); });
  }
}
