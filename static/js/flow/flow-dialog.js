import { announce, statusLine } from "../shared/announce.js";
import { el, focused, iconButton } from "../shared/dom.js";
import { findingNode } from "../shared/finding.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { openFlow } from "../state/actions.js";
import { className, modelTitle } from "../state/models.js";
import { rowsWithPanels, rowId, sameRow } from "../state/rows.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { flowOf } from "./flow-requests.js";
import { flowTable } from "./flow-table.js";

/**
 * @import { ClassBody, Finding, FlowLayer, GradientFlow } from "../api/types.js"
 * @import { RowWithPanels } from "../state/types.js"
 * @import { FlowFigure } from "./flow-figure.js"
 */

const FRACTIONS = ["share", "ratio", "dead", "units", "saturated"];

/**
 * A finding whose values that are fractions are written as percentages.
 * @param {Finding} finding
 * @returns {Finding}
 */
function withPercents({ values, ...finding }) {
  const percents = FRACTIONS.filter((name) => name in values).map((name) => [name, format.percent(values[name])]);
  return { ...finding, values: { ...values, ...Object.fromEntries(percents) } };
}

const LEVELS = ["doubt", "note"];

/** Where the gradient vanishes between a picture and its score: findings, the figure, and the same as a table. */
export class FlowDialog extends View {
  /** @type {HTMLHeadingElement} */ heading;
  /** @type {HTMLParagraphElement} */ context;
  /** @type {HTMLDivElement} */ status;
  /** @type {HTMLDivElement} */ findings;
  /** @type {FlowFigure} */ figure;
  /** @type {HTMLDetailsElement} */ table;
  /** @type {HTMLDivElement} */ results;
  /** @type {HTMLDivElement} */ body;
  /** @type {HTMLDialogElement} */ dialog;
  /** @type {HTMLElement | null} */ opener;
  /** @type {FlowLayer[]} */ layers;
  /** @type {ClassBody | null} */ answered = null; // the class that the row's answer is about

  /** @type {string | null} */
  #shown = null; // the row's key and its explanation's id
  #asking = new AbortController();

  build() {
    this.heading = el("h2", { class: "question", id: "flow-title" }, t("flow.title"));
    this.context = el("p", { class: "small muted" });
    this.status = el("div", { class: "flow-status" });
    this.findings = el("div", { class: "flow-findings" });
    this.figure = el("flow-figure");
    this.table = el("details", { class: "flow-details", ontoggle: () => this.tabulate() }, el("summary", { class: "small" }, t("flow.table.open")));
    this.results = el("div", { class: "flow-results" }, this.findings, this.figure, this.table,
      el("p", { class: "small muted flow-means" }, t("flow.means"), " ", el("a", { href: "/trust#gradient_flow", target: "_blank", rel: "noopener" }, t("flow.more"))));
    this.body = el("div", { class: "drawer-body", tabindex: "0", role: "region", "aria-labelledby": "flow-title" }, this.status, this.results);
    this.dialog = el("dialog", { class: "drawer flow", "aria-labelledby": "flow-title", onclose: () => this.closed(), onclick: ({ target }) => target === this.dialog && this.dialog.close() },
      el("div", { class: "drawer-inner" },
        el("div", { class: "drawer-head" }, el("div", { class: "drawer-words" }, this.heading, this.context), iconButton("close", t("flow.close"), { onclick: () => this.dialog.close() })),
        this.body, statusLine()));
    this.append(this.dialog);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["flowRow", "panels", "id"], () => this.follow(), signal);
    store.watch(["models", "inputs"], () => this.row && this.showContext(this.row), signal);
  }

  get row() {
    return rowsWithPanels(store.state).find(({ key }) => sameRow(key, store.state.flowRow));
  }

  follow() {
    const { row } = this;
    if (!row) return this.dialog.close();
    const shown = `${store.state.id} ${rowId(row.key)}`;
    if (shown === this.#shown) return undefined;
    this.#shown = shown;
    if (!this.dialog.open) {
      this.opener = focused();
      this.dialog.showModal();
    }
    return this.ask();
  }

  async ask() {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const { row } = this;
    if (!row) return;
    this.answered = null;
    this.showContext(row);
    this.results.hidden = true;
    this.status.replaceChildren(el("p", { class: "muted" }, t("flow.computing")));
    try {
      const flow = await flowOf(row, signal);
      if (!signal.aborted) this.show(flow);
    } catch (error) {
      if (!signal.aborted) this.showProblem(error);
    }
  }

  /**
   * Shows class, model and score under the heading. The label of a top class is known only when the answer has come.
   * @param {RowWithPanels} row
   */
  showContext({ model, target }) {
    const known = target ?? this.answered;
    const label = known ? className(known) : undefined;
    const { ask } = store.state;
    const against = ask.against ? t("grid.against", { against: className(ask.against) }) : null;
    this.context.textContent = [label, against, modelTitle(model), t(`ask.score.${ask.score}`).toLowerCase()].filter(Boolean).join(" · ");
  }

  /** @param {GradientFlow} flow */
  show({ layers, findings, model, target }) {
    this.layers = layers;
    this.answered = target;
    if (this.row) this.showContext(this.row);
    this.status.replaceChildren();
    this.results.hidden = false;
    this.findings.replaceChildren(...LEVELS.flatMap((level) => findings.filter((finding) => finding.level === level)).map((finding) => (
      el("p", { class: `flow-finding ${finding.level}` }, el("strong", {}, t(`flow.level.${finding.level}`)), " ", findingNode(withPercents(finding))))));
    this.figure.show(layers, { model, explanation: store.state.id ?? "", target: String(this.row?.key.target ?? "top") });
    this.table.open = false;
    this.table.querySelector(".flow-scroll")?.remove();
    this.body.scrollTop = 0;
    announce(t("flow.done", { layers: layers.length }));
  }

  /** @param {{ title?: string, detail?: string, message?: string, titleLanguage?: string | null, language?: string | null }} error */
  showProblem({ title, detail, message, titleLanguage, language }) {
    this.status.replaceChildren(el("div", { class: "notice", role: "alert" },
      el("strong", { lang: titleLanguage }, title ?? t("problem.lost")), detail || message ? el("p", { lang: language }, detail || message) : null,
      el("button", { type: "button", class: "button", onclick: () => this.ask() }, t("problem.retry"))));
  }

  /** Hundreds of rows are made only when they are wanted. */
  tabulate() {
    if (this.table.open && !this.table.querySelector("table")) this.table.append(flowTable(this.layers));
  }

  closed() {
    this.#asking.abort();
    this.#shown = null;
    openFlow(null);
    if (this.opener?.isConnected) this.opener.focus();
  }
}
