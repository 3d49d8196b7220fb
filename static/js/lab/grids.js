// Grids of numbers that belong together, and steps through them: each step marks cells, and what it adds to some is summed
// up as far as the steps have come. A number of a sum tells what it was added up from.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { Matrix, shown } from "./matrix.js";
import { gridTitle, groupTitle, stepText } from "./words.js";

/**
 * @import { Reading } from "./drawing.js"
 * @import { Grid, GridsData, Value } from "./types.js"
 */

const MOST_TERMS = 12; // of a sum
/** @type {Record<string, [number, number]>} */
const WAYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @typedef {{ grid: string, row: number, column: number }} Place */

export class Grids {
  /** @type {GridsData} */ #data = { groups: [] };
  /** @type {Map<string, Matrix>} */ #matrices = new Map();
  /** @type {Place | null} */ #pointed = null;
  #built = "";

  /**
   * @param {(parameter: string, values: number[][], done: boolean) => void} change
   * @param {{ title: () => string, again: () => void, go: (step: number) => void }} figure - again: what is read is said anew
   */
  constructor(change, figure) {
    this.change = change;
    this.figure = figure;
    this.root = el("div", { class: "grids" });
  }

  /** @returns {Grid[]} */
  get grids() {
    return this.#data.groups.flatMap(({ grids }) => grids);
  }

  /**
   * @param {GridsData} data
   * @returns {Reading[]}
   */
  show(data) {
    const { groups, steps = [] } = data;
    this.#data = data;
    const built = JSON.stringify(groups.map(({ id, grids }) => [id, grids.map((grid) => [grid.id, grid.sums])]));
    if (built !== this.#built) this.build();
    this.#built = built;
    if (!steps.length) this.mark(-1);
    return steps.length ? [{
      title: t("lab.page.grids.steps", { title: this.figure.title() }), count: steps.length, steps: true, first: steps.length - 1,
      at: () => -1, mark: (step) => this.mark(step), text: (step) => this.textOf(step),
    }] : [];
  }

  build() {
    this.#matrices = new Map(this.grids.map(({ id }) => [id, new Matrix(this.change)]));
    this.root.replaceChildren(...this.#data.groups.map((group) => el("section", { class: "grid-group", "data-group": group.id },
      this.#data.groups.length > 1 ? el("h4", {}, groupTitle(group)) : null,
      el("div", { class: "grid-row" }, ...group.grids.map((grid) => {
        const { root } = /** @type {Matrix} */ (this.#matrices.get(grid.id));
        this.listen(root, grid);
        return el("div", { class: grid.sums ? "grid-place sums" : "grid-place", "data-grid": grid.id }, el("p", { class: "grid-title", id: `grid-${group.id}-${grid.id}` }, gridTitle(grid)), root);
      })))));
  }

  /**
   * A press on a number goes to the step that is about it alone; a number of a sum is read by pointer and arrow keys.
   * @param {HTMLElement} root
   * @param {Grid} grid
   */
  listen(root, grid) {
    const matrix = /** @type {Matrix} */ (this.#matrices.get(grid.id));
    root.addEventListener("click", ({ target }) => {
      const [row, column] = matrix.placeOf(target) ?? [];
      const step = (this.#data.steps ?? []).findIndex(({ cells = [] }) => cells.some((each) => each.grid === grid.id && each.rows.length === 1 && each.columns.length === 1 && each.rows[0] === row && each.columns[0] === column));
      if (step >= 0) this.figure.go(step);
    });
    if (!grid.sums) return;
    /** @param {EventTarget | null} target */
    const read = (target) => {
      const [row, column] = matrix.placeOf(target) ?? [];
      this.point(row === undefined ? null : { grid: grid.id, row, column });
    };
    root.addEventListener("pointerover", ({ target }) => read(target));
    root.addEventListener("focusin", ({ target }) => read(target));
    for (const kind of ["pointerleave", "focusout"]) root.addEventListener(kind, () => this.point(null));
    root.addEventListener("keydown", (event) => this.walk(event, matrix));
  }

  /**
   * One number of a sum is reached by Tab, the others from there by arrow keys.
   * @param {KeyboardEvent} event
   * @param {Matrix} matrix
   */
  walk(event, matrix) {
    const [down, across] = WAYS[event.key] ?? [];
    const [row, column] = matrix.placeOf(event.target) ?? [];
    if (down === undefined || row === undefined) return;
    event.preventDefault();
    const next = matrix.cellAt(row + down, column + across);
    if (!next) return;
    /** @type {HTMLElement} */ (event.target).tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  /** @param {Place | null} place */
  point(place) {
    if (JSON.stringify(place) === JSON.stringify(this.#pointed)) return;
    this.#pointed = place;
    this.figure.again();
  }

  /** @param {number} step - −1 where there are none */
  mark(step) {
    const { steps = [] } = this.#data;
    for (const grid of this.grids) {
      const matrix = /** @type {Matrix} */ (this.#matrices.get(grid.id));
      const { values, parameter, border, outside } = grid;
      matrix.show({ values: grid.sums && step >= 0 && step < steps.length - 1 ? this.sumOf(grid, step) : values, parameter, border, outside, scale: values });
      matrix.mark((steps[step]?.cells ?? []).filter((cells) => cells.grid === grid.id));
      if (grid.sums) this.offer(matrix, grid);
    }
  }

  /**
   * The numbers of a sum are a grid that keys walk through.
   * @param {Matrix} matrix
   * @param {Grid} grid
   */
  offer(matrix, grid) {
    const table = matrix.root.querySelector("table");
    if (!table || table.hasAttribute("role")) return; // it is as it was
    table.setAttribute("role", "grid");
    const group = this.#data.groups.find(({ grids }) => grids.includes(grid));
    table.setAttribute("aria-labelledby", `grid-${group?.id}-${grid.id}`);
    grid.values.forEach((row, y) => row.forEach((_, x) => { const cell = matrix.cellAt(y, x); if (cell) cell.tabIndex = y || x ? -1 : 0; }));
  }

  /**
   * What the steps have added to a grid.
   * @param {Grid} grid
   * @param {number} step
   * @returns {Value[][]}
   */
  sumOf(grid, step) {
    const sums = grid.values.map((row) => row.map(() => 0));
    for (const { cells = [] } of (this.#data.steps ?? []).slice(0, step + 1)) {
      for (const { grid: id, rows, columns, added = [] } of cells) {
        if (id === grid.id) rows.forEach((y, down) => columns.forEach((x, across) => { sums[y][x] += added[down]?.[across] ?? 0; }));
      }
    }
    return sums;
  }

  /**
   * @param {number} step
   * @returns {{ place: string, values: import("./drawing.js").Read[] }}
   */
  textOf(step) {
    const said = this.#data.steps?.[step];
    const values = this.#pointed ? [{ name: "", kind: "sum", value: this.sumText(this.#pointed, step) }] : [];
    return { place: said ? stepText(said) : "", values };
  }

  /**
   * What the number there was added up from.
   * @param {Place} place
   * @param {number} step
   */
  sumText({ grid: id, row, column }, step) {
    const grid = this.grids.find((each) => each.id === id);
    const terms = (this.#data.steps ?? []).slice(0, step + 1).flatMap(({ cells = [] }) => cells.filter((each) => each.grid === id)).flatMap(({ rows, columns, added = [] }) => added[rows.indexOf(row)]?.[columns.indexOf(column)] ?? []);
    const words = { grid: grid ? gridTitle(grid) : id, row: row + 1, column: column + 1, count: terms.length };
    if (!terms.length) return t("lab.page.grids.none", words);
    const total = shown(terms.reduce((sum, term) => sum + term, 0));
    if (terms.length === 1) return t("lab.page.grids.one", { ...words, sum: total });
    const listed = terms.slice(0, MOST_TERMS).map((term, index) => (index && term < 0 ? `− ${shown(-term)}` : `${index ? "+ " : ""}${shown(term)}`));
    return t("lab.page.grids.sum", { ...words, sum: `${listed.join(" ")}${terms.length > MOST_TERMS ? " + …" : ""} = ${total}` });
  }
}
