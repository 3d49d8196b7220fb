import { gridFile } from "../export/file-names.js";
import { saveBlob } from "../export/save-file.js";
import { announce, statusLine } from "../shared/announce.js";
import { el, focused, iconButton } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { briefText } from "../shared/verdict.js";
import { cancelChecks, openChecks, openMetrics } from "../state/actions.js";
import { methodTitle } from "../state/methods.js";
import { className, modelTitle } from "../state/models.js";
import { rowsWithPanels } from "../state/rows.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { cellButton, showCell } from "./checks-cell.js";
import { csvOf } from "./checks-csv.js";
import { askPrices, byCost, checkable, checkAll, openCells, priceOf, timeOf } from "./checks.js";
import { sumCosts } from "./cost.js";
import { headlineName } from "./headline.js";
import { metricSummary, metricTitle } from "./metric-list.js";
import { costText } from "./metric-text.js";

/**
 * @import { Panel } from "../state/types.js"
 * @import { Cell } from "./checks.js"
 */

/** What stands of one map: its head, and a cell for each metric. @typedef {{ panel: Panel, head: HTMLElement, cells: Map<string, HTMLButtonElement> }} Column */

/** All metrics by all maps: what each would cost, one press that measures what is open, and what was found. */
export class ChecksDialog extends View {
  /** @type {HTMLParagraphElement} */ context;
  /** @type {HTMLButtonElement} */ run;
  /** @type {HTMLButtonElement} */ csv;
  /** @type {HTMLParagraphElement} */ total;
  /** @type {HTMLTableRowElement} */ head;
  /** @type {HTMLTableSectionElement} */ body;
  /** @type {HTMLDialogElement} */ dialog;
  /** @type {HTMLElement | null} */ opener;

  /** @type {Map<string, Column>} */
  #columns = new Map(); // by panel
  /** @type {Map<string, HTMLSpanElement>} */
  #costs = new Map(); // by metric
  #built = ""; // what the table was built of
  #pricing = new AbortController();
  #asking = false;

  build() {
    this.context = el("p", { class: "small muted" });
    this.run = el("button", { type: "button", class: "button checks-run", onclick: () => this.press() });
    this.csv = el("button", { type: "button", class: "button", onclick: () => this.save() }, t("checks.csv"));
    this.total = el("p", { class: "small muted checks-total" });
    this.head = el("tr");
    this.body = el("tbody");
    this.dialog = el("dialog", { class: "drawer checks", "aria-labelledby": "checks-title", onclose: () => this.closed(), onclick: ({ target }) => target === this.dialog && this.dialog.close() },
      el("div", { class: "drawer-inner" },
        el("div", { class: "drawer-head" }, el("div", { class: "drawer-words" }, el("h2", { class: "question", id: "checks-title" }, t("checks.title")), this.context), iconButton("close", t("trust.close"), { onclick: () => this.dialog.close() })),
        el("div", { class: "checks-actions" }, this.run, this.total, this.csv, el("p", { class: "small muted checks-what" }, t("checks.what"))),
        el("div", { class: "checks-scroll", role: "region", tabindex: "0", "aria-labelledby": "checks-title" },
          el("table", {}, el("caption", { class: "unseen" }, t("checks.title")), el("thead", {}, this.head), this.body)),
        this.legend(), statusLine()));
    this.append(this.dialog);
  }

  legend() {
    const kinds = [["doubt", "trust.level.doubt"], ["support", "trust.level.support"], ["note", "trust.level.note"], ["refused", "trust.refused"]];
    return el("ul", { class: "checks-legend small muted" }, ...kinds.map(([kind, key]) => el("li", { "data-kind": kind }, el("span", { class: "check-mark", "aria-hidden": "true" }), kind === "refused" ? "– " : "", t(key))));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["checksTable", "panels"], () => this.follow(), signal);
    store.watch(["models", "methods"], () => this.rename(), signal);
    store.watch(["checks"], () => this.dialog.open && this.followChecks(), signal);
    store.watchPanels((id) => this.dialog.open && this.changed(id), signal);
  }

  follow() {
    if (!store.state.checksTable || !store.state.panels.length) return this.dialog.close();
    if (!this.dialog.open) {
      this.opener = focused();
      this.dialog.showModal();
    }
    this.arrangeTable();
    return undefined;
  }

  /** When the checks have ended, asks for the prices that were not known when they began. */
  followChecks() {
    this.renderActions();
    if (store.state.checks && store.state.checks.status !== "running") this.askPrices();
  }

  /** Names of models and methods may come later than what is shown. */
  rename() {
    this.#built = "";
    if (this.dialog.open) this.arrangeTable();
  }

  /** @param {string} id - of the panel */
  changed(id) {
    const column = this.#columns.get(id);
    if (Boolean(column) !== checkable().some((panel) => panel.id === id)) return this.arrangeTable();
    if (column) this.renderColumn(column);
    return this.renderActions();
  }

  /** The table anew, where there are other maps or metrics than before, or another order. */
  arrangeTable() {
    const panels = checkable();
    const order = byCost();
    const built = JSON.stringify([store.state.id, panels.map(({ id }) => id), order]);
    if (built !== this.#built) {
      this.#built = built;
      this.#costs = new Map(order.map((metric) => [metric, el("span", { class: "muted check-cost" })]));
      this.#columns = new Map(panels.map((panel) => [panel.id, this.column(panel, order)]));
      const columns = [...this.#columns.values()];
      this.head.replaceChildren(el("th", { scope: "col" }, t("checks.metric")), ...columns.map(({ head }) => head));
      this.body.replaceChildren(...order.map((metric) => el("tr", {}, this.rowHead(metric), ...columns.map(({ cells }) => el("td", {}, cells.get(metric))))));
      this.context.textContent = t("checks.about", { maps: panels.length, metrics: order.length });
    }
    this.render();
    if (panels.length) this.askPrices();
  }

  /** @param {string} metric */
  rowHead(metric) {
    return el("th", { scope: "row", title: metricSummary(metric) }, el("span", {}, metricTitle(metric)), el("span", { class: "muted check-number" }, headlineName(metric)), " ", this.#costs.get(metric));
  }

  /**
   * @param {Panel} panel
   * @param {string[]} order - of the metrics
   * @returns {Column}
   */
  column(panel, order) {
    const several = rowsWithPanels(store.state).length > 1;
    const about = [modelTitle(panel.model), panel.target && className(panel.target)].filter(Boolean).join(" · ");
    const head = el("th", { scope: "col" }, el("span", {}, methodTitle(panel.method)), several ? el("span", { class: "muted" }, about) : null, el("span", { class: "muted check-brief" }));
    const cells = new Map(order.map((metric) => [metric, cellButton(() => openMetrics(panel.id, metric))]));
    return { panel, head, cells };
  }

  render() {
    for (const column of this.#columns.values()) this.renderColumn(column);
    for (const [metric, node] of this.#costs) node.textContent = this.rowCost(metric);
    this.renderActions();
  }

  /** @param {Column} column */
  renderColumn({ panel, head, cells }) {
    for (const [metric, button] of cells) showCell(button, { panel: panel.id, metric });
    /** @type {Element} */ (head.lastElementChild).textContent = briefText(store.panel(panel.id)?.record?.metrics);
  }

  /**
   * What is still to be spent for a metric, in short.
   * @param {string} metric
   */
  rowCost(metric) {
    const open = openCells([metric]);
    if (!open.length) return "";
    const { forwards, gradients } = this.sum(open);
    if (open.every((cell) => priceOf(cell)) && !forwards && !gradients) return t("checks.free");
    const { seconds, complete } = timeOf(open);
    if (complete) return t("trust.about", { seconds: format.duration(seconds) });
    return forwards || gradients ? t("checks.passes", { count: forwards + gradients }) : "";
  }

  /** @param {Cell[]} cells */
  sum(cells) {
    return sumCosts(cells.map(priceOf).flatMap((price) => price ?? []));
  }

  renderActions() {
    const { checks } = store.state;
    const busy = checks?.status === "running";
    const open = openCells();
    const of = this.#columns.size * this.#costs.size;
    this.run.textContent = busy ? t("checks.cancel") : t(open.length === of ? "checks.run" : "checks.run.rest", { count: open.length });
    this.run.hidden = !busy && !open.length;
    this.run.disabled = !busy && this.#asking && open.every((cell) => priceOf(cell) === undefined); // which is the cheapest?
    this.csv.disabled = open.length === of;
    this.total.textContent = busy ? this.progressText() : open.length ? this.totalText(open) : t("checks.filled", { of });
    if (busy) for (const [metric, node] of this.#costs) node.textContent = this.rowCost(metric);
  }

  progressText() {
    const { done = 0, of = 0, doing = "", seconds = null } = store.state.checks ?? {};
    return [t("checks.progress.heard", { done, of }), doing, seconds === null ? null : t("checks.left", { time: format.duration(seconds) })].filter(Boolean).join(" · ");
  }

  /** @param {Cell[]} open */
  totalText(open) {
    if (open.every((cell) => priceOf(cell) === undefined)) return t(this.#asking ? "trust.pricing" : "trust.price.unknown");
    const { forwards, gradients } = this.sum(open);
    const { seconds, complete } = timeOf(open);
    const failed = store.state.checks?.failed;
    const cost = costText({ forwards, gradients, seconds: complete ? seconds : null });
    const about = complete || !seconds ? cost : t("checks.least", { cost: costText({ forwards, gradients, seconds }) });
    return [failed ? t("checks.failed", { failed }) : null, about].filter(Boolean).join(" · ");
  }

  async askPrices() {
    if (this.#asking) return;
    this.#asking = true;
    this.#pricing = new AbortController();
    const { signal } = this.#pricing;
    try {
      await askPrices(signal, () => this.dialog.open && this.priced());
    } catch (error) {
      if (!signal.aborted) console.info(error); // it can be measured still
    } finally {
      this.#asking = false;
      if (this.dialog.open) this.render();
    }
  }

  /** Metrics are in the order of their cost, which a new price may change. */
  priced() {
    const order = [...this.#costs.keys()].join();
    if (order !== byCost().join()) this.arrangeTable();
    else this.render();
  }

  press() {
    if (store.state.checks?.status === "running") return cancelChecks();
    this.#pricing.abort();
    return checkAll();
  }

  save() {
    const name = gridFile(store.state, "csv");
    const panels = [...this.#columns.values()].flatMap(({ panel }) => store.panel(panel.id) ?? []);
    saveBlob(new Blob([csvOf(panels, [...this.#costs.keys()])], { type: "text/csv;charset=utf-8" }), name);
    announce(t("export.saved", { name }));
  }

  closed() {
    this.#pricing.abort();
    openChecks(null);
    const back = this.opener?.isConnected && this.opener !== document.body ? this.opener : /** @type {HTMLElement | null} */ (document.querySelector("check-bar button"));
    back?.focus();
  }
}
