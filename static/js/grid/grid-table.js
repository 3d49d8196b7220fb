import { arrange, el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { rowId } from "../state/rows.js";

/**
 * @import { RowWithPanels, Panel } from "../state/types.js"
 * @import { RowHead } from "./row-head.js"
 */

/** @typedef {HTMLTableRowElement & { head: RowHead, pool: Pool<string, HTMLTableCellElement> }} Line */

/**
 * Elements by key: those that are asked for again are the same ones.
 * @template Key, Node
 */
class Pool {
  /** @type {Map<Key, Node>} */
  #known = new Map();

  /** @param {(key: Key) => Node} make */
  constructor(make) {
    this.make = make;
  }

  /**
   * The elements for these keys; others are forgotten.
   * @param {Key[]} keys
   * @returns {Node[]}
   */
  elementsFor(keys) {
    this.#known = new Map(keys.map((key) => [key, this.#known.get(key) ?? this.make(key)]));
    return [...this.#known.values()];
  }
}

/** Several rows as a table that scrolls inside itself; heads of rows and columns stay in sight. */
export class GridTable extends HTMLElement {
  /** @type {Pool<string, HTMLTableCellElement>} */ columns;
  /** @type {Pool<string, Line>} */ rows;
  /** @type {HTMLTableRowElement} */ head;
  /** @type {HTMLTableSectionElement} */ body;
  /** @type {HTMLTableCellElement} */ corner;
  /** @type {HTMLTableElement} */ table;

  connectedCallback() {
    if (this.table) return;
    this.columns = new Pool((method) => this.column(method));
    this.rows = new Pool(() => this.row());
    this.head = el("tr");
    this.body = el("tbody");
    this.corner = el("td", { class: "corner" });
    this.table = el("table", {}, el("caption", { class: "unseen" }, t("grid.table")), el("thead", {}, this.head), this.body);
    this.append(el("div", { class: "table-scroll", role: "region", tabindex: "0", "aria-label": t("grid.table") }, this.table));
  }

  /** @param {string} method */
  column(method) {
    const head = el("column-head");
    head.setMethod(method);
    return el("th", { scope: "col", class: "column" }, head);
  }

  /** @returns {Line} */
  row() {
    const head = el("row-head");
    return Object.assign(el("tr", {}, el("th", { scope: "row", class: "row" }, head)), { head, pool: new Pool(() => el("td")) });
  }

  /**
   * `cellOf` gives the element that shows a panel.
   * @param {RowWithPanels[]} rows
   * @param {string[]} methods
   * @param {(panel: Panel) => Element} cellOf
   */
  show(rows, methods, cellOf) {
    this.style.setProperty("--columns", String(methods.length));
    arrange(this.head, [this.corner, ...this.columns.elementsFor(methods)]);
    const lines = this.rows.elementsFor(rows.map(({ key }) => rowId(key)));
    arrange(this.body, lines);
    rows.forEach((row, index) => this.fill(lines[index], row, methods, cellOf));
  }

  /**
   * @param {Line} line
   * @param {RowWithPanels} row
   * @param {string[]} methods
   * @param {(panel: Panel) => Element} cellOf
   */
  fill(line, row, methods, cellOf) {
    line.head.setRow(row);
    const cells = line.pool.elementsFor(methods);
    arrange(line, [line.cells[0], ...cells]);
    methods.forEach((method, index) => {
      const panel = row.panels.find((each) => each.method === method);
      arrange(cells[index], panel ? [cellOf(panel)] : []);
    });
  }
}
