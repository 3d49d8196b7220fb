// A grid of numbers to be read one by one; where a parameter is edited in it, each number can be typed, stepped by the arrow
// keys, and dragged; what is 0 or 1 is switched by a press.

import { el } from "../shared/dom.js";
import { number } from "../shared/format.js";
import { extent } from "./scale.js";
import { labelText, parameterTitle } from "./words.js";
import { t } from "../shared/texts.js";

/** @import { MatrixData, Value } from "./types.js" */

const PIXELS_A_STEP = 6; // of a drag
const COARSE = 10; // steps, with Shift

/** @param {Value} value */
const shown = (value) => (value === null ? "–" : number(value));

export class Matrix {
  /** @type {HTMLElement[][]} */ #inputs = [];
  /** @type {Value[][]} */ #values = [];

  /** @param {(parameter: string, values: number[][], done: boolean) => void} change */
  constructor(change) {
    this.change = change;
    this.root = el("div");
  }

  /** @param {MatrixData} data */
  show(data) {
    const { values, parameter } = data;
    const fits = this.#inputs.length === values.length && this.#inputs[0]?.length === values[0]?.length;
    this.#values = values.map((row) => [...row]);
    if (parameter && fits && this.root.firstElementChild) this.update(values);
    else this.build(data);
    this.tint(values);
  }

  /**
   * New values in the same cells; the one that is being edited stays as it is.
   * @param {Value[][]} values
   */
  update(values) {
    this.#inputs.forEach((row, y) => row.forEach((input, x) => {
      if (input !== document.activeElement || input.tagName === "BUTTON") write(input, values[y][x]);
    }));
  }

  /** @param {MatrixData} data */
  build({ values, rows = [], columns = [], parameter, switches }) {
    this.#inputs = [];
    const head = columns.length ? el("thead", {}, el("tr", {}, rows.length ? el("td") : null, ...columns.map((label) => el("th", { scope: "col" }, labelText(label))))) : null;
    const body = el("tbody", {}, ...values.map((row, y) => el("tr", {},
      rows[y] === undefined ? null : el("th", { scope: "row" }, labelText(rows[y])),
      ...row.map((value, x) => el("td", {}, parameter ? this[switches ? "toggle" : "input"](parameter, y, x, value) : shown(value))))));
    this.root.replaceChildren(el("table", { class: parameter ? "matrix editable" : "matrix" }, ...(head ? [head] : []), body));
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
    input.addEventListener("change", () => {
      const typed = Number(input.value.replace("−", "-").replace(",", "."));
      if (input.value.trim() && Number.isFinite(typed)) set(typed, true);
      else write(input, this.#values[y][x]);
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
   */
  tint(values) {
    const most = Math.max(...(extent(values.flat()) ?? [0, 0]).map(Math.abs)) || 1;
    this.root.querySelectorAll("tbody tr").forEach((row, y) => row.querySelectorAll("td").forEach((cell, x) => {
      const value = values[y]?.[x] ?? 0;
      cell.style.setProperty("--share", String(Math.abs(value) / most));
      cell.classList.toggle("negative", value < 0);
    }));
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
    cell.setAttribute("aria-valuenow", String(value));
  } else {
    cell.textContent = shown(value);
    cell.setAttribute("aria-checked", String(value === 1));
  }
}
