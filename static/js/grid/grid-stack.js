import { arrange, el } from "../shared/dom.js";
import { rowId } from "../state/rows.js";

/**
 * @import { RowWithPanels, Panel } from "../state/types.js"
 * @import { RowHead } from "./row-head.js"
 */

/** @typedef {HTMLElement & { head: RowHead, panels: HTMLElement }} StackRow */

/** Rows one below the other, each with its maps side by side as the width allows; a single row needs no head. */
export class GridStack extends HTMLElement {
  /** @type {Map<string, StackRow>} */
  #rows = new Map();

  row() {
    const head = el("row-head");
    const panels = el("div", { class: "panels" });
    return Object.assign(el("section", { class: "stack-row" }, head, panels), { head, panels });
  }

  /**
   * @param {RowWithPanels[]} rows
   * @param {(panel: Panel) => Element} cellOf
   */
  show(rows, cellOf) {
    const recycled = [...this.#rows].filter(([id]) => !rows.some(({ key }) => rowId(key) === id)).map(([, section]) => section);
    this.#rows = new Map(rows.map(({ key }) => [rowId(key), this.#rows.get(rowId(key)) ?? recycled.shift() ?? this.row()]));
    arrange(this, [...this.#rows.values()]);
    for (const row of rows) {
      const { head, panels } = /** @type {StackRow} */ (this.#rows.get(rowId(row.key)));
      head.hidden = rows.length === 1;
      head.setRow(row);
      arrange(panels, row.panels.map(cellOf));
    }
  }
}
