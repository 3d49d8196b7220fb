import { arrange, el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { rowId } from "../state/rows.js";

/** Elements by key: those that are asked for again are the same ones. */
class Pool {
  #known = new Map();

  constructor(make) {
    this.make = make;
  }

  /** The elements for these keys; others are forgotten. */
  take(keys) {
    this.#known = new Map(keys.map((key) => [key, this.#known.get(key) ?? this.make(key)]));
    return [...this.#known.values()];
  }
}

/** Several rows as a table that scrolls inside itself; heads of rows and columns stay in sight. */
export class GridTable extends HTMLElement {
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

  column(method) {
    const head = el("column-head");
    head.take(method);
    return el("th", { scope: "col", class: "column" }, head);
  }

  row() {
    const head = el("row-head");
    return Object.assign(el("tr", {}, el("th", { scope: "row", class: "row" }, head)), { head, pool: new Pool(() => el("td")) });
  }

  /** `cellOf` gives the element that shows a panel. */
  show(rows, methods, cellOf) {
    this.style.setProperty("--columns", methods.length);
    arrange(this.head, [this.corner, ...this.columns.take(methods)]);
    const lines = this.rows.take(rows.map(({ key }) => rowId(key)));
    arrange(this.body, lines);
    rows.forEach((row, place) => this.fill(lines[place], row, methods, cellOf));
  }

  fill(line, row, methods, cellOf) {
    line.head.take(row);
    const cells = line.pool.take(methods);
    arrange(line, [line.firstElementChild, ...cells]);
    methods.forEach((method, place) => {
      const panel = row.panels.find((each) => each.method === method);
      arrange(cells[place], panel ? [cellOf(panel)] : []);
    });
  }
}
