// A grid of numbers to be read one by one; where a parameter is edited in it, each number can be typed, stepped by the arrow
// keys, and dragged; what is 0 or 1 is switched by a press. Cells can be marked, with what is added to each.

import { announce } from "../shared/announce.js";
import { el } from "../shared/dom.js";
import { number } from "../shared/format.js";
import { numberIn } from "./number-control.js";
import { extent } from "./scale.js";
import { labelText, parameterTitle } from "./words.js";
import { t } from "../shared/texts.js";

/** @import { Value } from "./types.js" */

const PIXELS_A_STEP = 6; // of a drag
const COARSE = 10; // steps, with Shift

/**
 * What is shown: numbers, labels, and cells of padding around them.
 * @typedef {object} Shown
 * @property {Value[][]} values
 * @property {string[]} [rows]
 * @property {string[]} [columns]
 * @property {string | null} [parameter] - that is edited in it
 * @property {boolean} [switches] - its numbers are 0 or 1, and switched by a press
 * @property {number} [border] - cells around it
 * @property {string} [outside] - what stands in them
 * @property {Value[][]} [scale] - the values that the tints are relative to, if not its own
 */

/** @param {Value} value */
export const shown = (value) => (value === null ? "–" : number(value));

export class Matrix {
  /** @type {Map<string, HTMLTableCellElement>} */ #cells = new Map();
  /** @type {HTMLElement[][]} */ #inputs = [];
  /** @type {Value[][]} */ #values = [];
  #built = ""; // what the cells were made for

  /** @param {(parameter: string, values: number[][], done: boolean) => void} change */
  constructor(change) {
    this.change = change;
    this.root = el("div");
  }

  /** @param {Shown} data */
  show(data) {
    const { values, rows, columns, parameter, switches, border, outside, scale = values } = data;
    const built = JSON.stringify([values.length, values[0]?.length, rows, columns, parameter, switches, border, outside]);
    this.#values = values.map((row) => [...row]);
    if (built === this.#built) this.update(values);
    else this.build(data);
    this.#built = built;
    this.tint(values, scale);
  }

  /**
   * The cell of a number, or of the padding around: rows and columns of that begin below 0.
   * @param {number} y
   * @param {number} x
   */
  cellAt(y, x) {
    return this.#cells.get(`${y},${x}`);
  }

  /** @param {EventTarget | null} target */
  placeOf(target) {
    const cell = target instanceof Element ? target.closest("td") : null;
    const found = [...this.#cells].find(([, each]) => each === cell);
    return found ? found[0].split(",").map(Number) : null;
  }

  /**
   * New values in the same cells; the one that is being edited stays as it is.
   * @param {Value[][]} values
   */
  update(values) {
    values.forEach((row, y) => row.forEach((value, x) => {
      const [input, cell] = [this.#inputs[y]?.[x], this.cellAt(y, x)];
      if (!input && cell) cell.textContent = shown(value);
      else if (input && (input !== document.activeElement || input.tagName === "BUTTON")) write(input, value);
    }));
  }

  /** @param {Shown} data */
  build({ values, rows = [], columns = [], parameter, switches, border = 0, outside = "" }) {
    this.#inputs = [];
    this.#cells.clear();
    const places = (/** @type {number} */ count) => Array.from({ length: count + 2 * border }, (_, index) => index - border);
    const head = columns.length ? el("thead", {}, el("tr", {}, rows.length ? el("td") : null, ...columns.map((label) => el("th", { scope: "col" }, labelText(label))))) : null;
    const body = el("tbody", {}, ...places(values.length).map((y) => el("tr", {},
      rows[y] === undefined ? null : el("th", { scope: "row" }, labelText(rows[y])),
      ...places(values[0]?.length ?? 0).map((x) => {
        const value = values[y]?.[x];
        const cell = value === undefined ? el("td", { class: "outside" }, outside) : el("td", {}, parameter ? this[switches ? "toggle" : "input"](parameter, y, x, value) : shown(value));
        this.#cells.set(`${y},${x}`, cell);
        return cell;
      }))));
    const kind = (values[0]?.length ?? 0) + 2 * border > 8 ? " small" : "";
    this.root.replaceChildren(el("table", { class: `matrix${parameter ? " editable" : ""}${kind}` }, ...(head ? [head] : []), body));
  }

  /**
   * @param {string} parameter
   * @param {number} y
   * @param {number} x
   * @param {Value} value
   */
  input(parameter, y, x, value) {
    const input = el("input", { type: "text", inputmode: "decimal", role: "spinbutton", class: "cell", "aria-label": labelOf(parameter, y, x), spellcheck: "false", autocomplete: "off" });
    write(input, value);
    /** @type {(to: number, done: boolean) => void} */
    const set = (to, done) => {
      this.#values[y][x] = Number(to.toFixed(6));
      write(input, this.#values[y][x]);
      this.send(parameter, done);
    };
    input.addEventListener("input", () => input.toggleAttribute("data-wrong", !Number.isFinite(numberIn(input.value))));
    input.addEventListener("change", () => {
      const typed = numberIn(input.value);
      if (Number.isFinite(typed)) return set(typed, true);
      announce(t("lab.page.cell.kept", { value: input.value }));
      return write(input, this.#values[y][x]);
    });
    input.addEventListener("keydown", (event) => {
      const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!way) return;
      event.preventDefault();
      set(Number(this.#values[y][x]) + way * (event.shiftKey ? COARSE : 1) * stepOf(this.#values[y][x]), true);
    });
    this.drag(input, () => Number(this.#values[y][x]), set);
    (this.#inputs[y] ??= [])[x] = input;
    return input;
  }

  /**
   * A number that is 0 or 1.
   * @param {string} parameter
   * @param {number} y
   * @param {number} x
   * @param {Value} value
   */
  toggle(parameter, y, x, value) {
    const button = el("button", {
      type: "button", role: "switch", class: "cell", "aria-label": labelOf(parameter, y, x),
      onclick: () => {
        this.#values[y][x] = this.#values[y][x] ? 0 : 1;
        write(button, this.#values[y][x]);
        this.send(parameter, true);
      },
    });
    write(button, value);
    (this.#inputs[y] ??= [])[x] = button;
    return button;
  }

  /**
   * Dragging sideways changes the number; a press alone edits it.
   * @param {HTMLInputElement} input
   * @param {() => number} get
   * @param {(to: number, done: boolean) => void} set
   */
  drag(input, get, set) {
    input.addEventListener("pointerdown", (down) => {
      if (input === document.activeElement) return;
      const [from, step] = [get(), stepOf(get())];
      let moved = 0;
      const leave = new AbortController();
      /** @param {PointerEvent} move */
      const follow = ({ clientX, pointerId }) => {
        const steps = Math.round((clientX - down.clientX) / PIXELS_A_STEP);
        if (!moved && steps) input.setPointerCapture(pointerId);
        if (steps !== moved) set(from + steps * step, false);
        moved = steps || moved;
      };
      const end = () => {
        leave.abort();
        if (!moved) return;
        input.blur();
        set(get(), true);
      };
      input.addEventListener("pointermove", follow, { signal: leave.signal });
      for (const kind of /** @type {const} */ (["pointerup", "pointercancel"])) input.addEventListener(kind, end, { signal: leave.signal });
    });
  }

  /**
   * @param {string} parameter
   * @param {boolean} done
   */
  send(parameter, done) {
    this.change(parameter, this.#values.map((row) => row.map(Number)), done);
  }

  /**
   * The size of each number as a tint behind it.
   * @param {Value[][]} values
   * @param {Value[][]} scale
   */
  tint(values, scale) {
    const most = Math.max(...(extent(scale.flat()) ?? [0, 0]).map(Math.abs)) || 1;
    values.forEach((row, y) => row.forEach((value, x) => {
      const cell = this.cellAt(y, x);
      cell?.style.setProperty("--share", String(Math.min(1, Math.abs(value ?? 0) / most)));
      cell?.classList.toggle("negative", (value ?? 0) < 0);
    }));
  }

  /**
   * Marks cells, and no others.
   * @param {{ rows: number[], columns: number[], added?: number[][] }[]} marks
   */
  mark(marks) {
    for (const cell of this.#cells.values()) {
      cell.classList.remove("here");
      cell.removeAttribute("data-added");
    }
    for (const { rows, columns, added } of marks) {
      rows.forEach((y, down) => columns.forEach((x, across) => {
        const cell = this.cellAt(y, x);
        cell?.classList.add("here");
        const more = added?.[down]?.[across];
        if (more !== undefined) cell?.setAttribute("data-added", more < 0 ? shown(more) : `+${shown(more)}`);
      }));
    }
  }
}

/** @param {Value} value */
const stepOf = (value) => (Number.isInteger(value) ? 1 : 0.1);

/**
 * What a screen reader calls a cell.
 * @param {string} parameter
 * @param {number} y
 * @param {number} x
 */
const labelOf = (parameter, y, x) => `${parameterTitle(parameter)}, ${t("lab.page.cell", { row: y + 1, column: x + 1 })}`;

/**
 * @param {HTMLElement} cell
 * @param {Value} value
 */
function write(cell, value) {
  if (cell instanceof HTMLInputElement) {
    cell.value = shown(value);
    cell.removeAttribute("data-wrong");
    cell.setAttribute("aria-valuenow", String(value));
  } else {
    cell.textContent = shown(value);
    cell.setAttribute("aria-checked", String(value === 1));
  }
}
