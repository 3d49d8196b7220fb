import { cancel, explainAgain } from "../controller/controller.js";
import { addMethod, showMethod, showRow } from "../controller/layout.js";
import { announce } from "../shared/announce.js";
import { arrange, el, focused } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { PHONE } from "../shared/screens.js";
import { t } from "../shared/texts.js";
import { isUploaded } from "../shared/uploaded.js";
import { openFlow, setBlink } from "../state/actions.js";
import { methodTitle } from "../state/methods.js";
import { askedModel, askedTarget, className, modelTitle, predictionOf } from "../state/models.js";
import { isFinal } from "../state/panels.js";
import { currentRow, rowsWithPanels, hiddenMethods, hiddenRows, keyOf, methodsOf, rowId, sameRow } from "../state/rows.js";
import { store } from "../state/store.js";
import { panelName } from "../viewport/viewport.js";
import { View } from "../widgets/view.js";
import { listenForBlink } from "./blink.js";
import { fitMaps } from "./room.js";

/**
 * @import { ClassBody } from "../api/types.js"
 * @import { Panel, Phase, State } from "../state/types.js"
 * @import { ActionMenu } from "../widgets/action-menu.js"
 * @import { AddMethod } from "./add-method.js"
 * @import { AddRow } from "./add-row.js"
 * @import { GridStack } from "./grid-stack.js"
 * @import { GridTable } from "./grid-table.js"
 * @import { MapPanel } from "./map-panel.js"
 */

const NAMES = 6; // of missing maps; more are counted
/** @param {ClassBody | null | undefined} target */
const nameOf = (target) => (target ? className(target) : t("row.top"));

/** The maps, with the question above them and the state of the answer. */
export class PanelGrid extends View {
  /** @type {HTMLHeadingElement} */ question;
  /** @type {HTMLParagraphElement} */ context;
  /** @type {HTMLButtonElement} */ flow;
  /** Shows the maps of the previous question. @type {HTMLButtonElement} */ blink;
  /** What a stopped explanation has not computed. @type {HTMLParagraphElement} */ missing;
  /** @type {HTMLSpanElement} */ status;
  /** @type {HTMLButtonElement} */ cancel;
  /** @type {HTMLButtonElement} */ resume;
  /** @type {HTMLButtonElement} */ hiddenButton;
  /** @type {ActionMenu} */ hiddenMenu;
  /** @type {HTMLButtonElement} */ addRow;
  /** @type {AddRow} */ rowPopup;
  /** @type {AddMethod} */ methodPopup;
  /** @type {HTMLButtonElement} */ add;
  /** @type {HTMLDivElement} */ actions;
  /** @type {HTMLDivElement} */ maps;
  /** @type {GridStack} */ stack;
  /** @type {GridTable} */ table;

  #cells = new Map(); // row and method -> map-panel
  #frame = 0; // in which the maps will be fitted

  build() {
    this.question = el("h2", { class: "question", tabindex: "-1" });
    this.context = el("p", { class: "small muted context" });
    this.flow = el("button", { type: "button", class: "link grid-flow", onclick: () => openFlow(currentRow(store.state)?.key ?? null) }, t("flow.open"));
    this.blink = el("button", { type: "button", class: "link grid-previous", title: t("previous.help"), "aria-pressed": "false", hidden: true, onclick: () => setBlink(store.state.blink ? null : "all") }, t("previous.show"));
    this.missing = el("p", { class: "small grid-missing", hidden: true });
    this.status = el("span", { class: "small muted tally" });
    this.cancel = el("button", { type: "button", class: "button", onclick: cancel }, t("grid.cancel"));
    this.resume = el("button", { type: "button", class: "button", onclick: () => explainAgain() }, t("grid.rest"));
    this.hiddenButton = el("button", { type: "button", class: "link" });
    this.hiddenMenu = el("action-menu");
    this.addRow = el("button", { type: "button", class: "link add-row", title: t("row.add.long") }, t("row.add"));
    this.rowPopup = el("add-row");
    this.add = el("button", { type: "button", class: "link add-method" }, t("grid.add"));
    this.methodPopup = el("add-method");
    this.actions = el("div", { class: "grid-actions" }, this.status, this.cancel, this.resume, this.hiddenButton, this.hiddenMenu, this.addRow, this.add, el("copy-link"), el("export-button"));
    this.maps = el("div", { class: "grid-body" });
    this.stack = el("grid-stack");
    this.table = el("grid-table");
    this.append(
      el("header", { class: "grid-head" }, el("div", { class: "grid-title" }, this.question, el("div", { class: "grid-about" }, this.context, this.flow, this.blink)), this.actions),
      this.missing,
      el("problem-notice", { place: "grid" }),
      this.maps, this.rowPopup, this.methodPopup,
    );
    this.rowPopup.attachTo(this.addRow, t("row.add"));
    this.methodPopup.attachTo(this.add, t("grid.add"));
    this.methodPopup.chosen = (id) => this.addChosen(id);
    this.rowPopup.added = (row) => this.reveal((panel) => sameRow(keyOf(panel, store.state.ask), row));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["panels"], () => this.arrange(), signal);
    store.watch(["panels", "phase", "ask", "layout", "row", "inputs", "models", "methods", "seconds", "id", "notice"], () => this.updateHead(), signal);
    store.watchPanels(() => this.updateStatus(), signal);
    store.watch(["previous", "blink"], () => this.offerPrevious(), signal);
    listenForBlink(signal);
    PHONE.addEventListener("change", () => this.arrange(), { signal });
    store.watch(["inputs"], () => this.fitSoon(), signal);
    const room = new ResizeObserver(() => this.fit());
    room.observe(this.maps, { box: "border-box" });
    addEventListener("resize", () => this.fit(), { signal });
    signal.addEventListener("abort", () => room.disconnect());
  }

  arrange() {
    this.fitSoon(); // asked for first: in the same frame the facts are fitted to what is left beside the maps
    const { state } = store;
    const rows = rowsWithPanels(state);
    const shown = new Set(state.panels.map(({ method }) => method));
    const methods = [...methodsOf(state).filter((method) => shown.has(method)), ...[...shown].filter(isUploaded)];
    const cellOf = this.cellsFor(state);
    const tabular = rows.length > 1 && !PHONE.matches;
    const before = focused();
    arrange(this.maps, [tabular ? this.table : this.stack]);
    if (tabular) this.table.show(rows, methods, cellOf);
    else this.stack.show(rows, cellOf);
    if (before !== focused() && before?.isConnected) before.focus();
  }

  /** Before the next frame is painted, once: measuring has a browser lay out all that was written before. */
  fitSoon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.fit();
    });
  }

  /** Makes the maps as large as the room allows. */
  fit() {
    const { panels, inputs } = store.state;
    const only = this.stack.isConnected && this.stack.children.length === 1 ? /** @type {HTMLElement | null} */ (this.stack.querySelector(".panels")) : null;
    const size = inputs.get(panels[0]?.model)?.size;
    fitMaps(this.maps, only, panels.length, size ? size[1] / size[0] : 1);
  }

  /**
   * Every panel has an element; those of panels that are gone show the new ones, so that as little as possible moves.
   * @param {State} state
   * @returns {(panel: Panel) => MapPanel}
   */
  cellsFor({ panels, ask }) {
    const keyed = new Map(panels.map((panel) => [`${rowId(keyOf(panel, ask))} ${panel.method}`, panel]));
    const spare = [...this.#cells].filter(([key]) => !keyed.has(key)).map(([, cell]) => cell);
    this.#cells = new Map([...keyed.keys()].map((key) => [key, this.#cells.get(key) ?? spare.shift() ?? el("map-panel")]));
    const cells = new Map([...keyed].map(([key, panel]) => [panel, this.#cells.get(key)]));
    for (const [panel, cell] of cells) cell.setPanel(panel);
    return (panel) => /** @type {MapPanel} */ (cells.get(panel));
  }

  offerPrevious() {
    const { previous, blink } = store.state;
    this.blink.hidden = !previous;
    this.blink.setAttribute("aria-pressed", String(blink === "all"));
  }

  /** Which maps a stopped explanation lacks. */
  tellMissing() {
    const { panels, phase } = store.state;
    const names = panels.filter((panel) => !isFinal(panel)).map(panelName);
    this.missing.hidden = phase !== "cancelled" || names.length === 0;
    if (this.missing.hidden) return;
    const more = names.length - NAMES;
    const list = more > 0 ? [...names.slice(0, NAMES), t("grid.missing.more", { count: more })] : names;
    this.missing.textContent = t("grid.missing", { maps: new Intl.ListFormat(document.documentElement.lang || undefined).format(list) });
  }

  updateHead() {
    const { phase, id, notice } = store.state;
    this.showQuestion();
    const running = phase === "running";
    this.cancel.hidden = !running;
    this.resume.hidden = phase !== "cancelled" || Boolean(notice?.retry);
    this.addRow.hidden = !id;
    this.offerMethods(id);
    this.showHidden();
    this.updateStatus();
  }

  /** The question of the only row, or of all rows; where they ask about different classes, how many there are. */
  showQuestion() {
    const { ask, panels } = store.state;
    const all = rowsWithPanels(store.state);
    const rows = all.length;
    const target = askedTarget();
    const against = ask.against ? className(ask.against) : undefined;
    const score = t(`ask.score.${ask.score}`).toLowerCase();
    this.flow.hidden = rows !== 1 || !store.state.inputs.has(askedModel());
    if (rows > 1) {
      const methods = new Set(panels.map(({ method }) => method)).size;
      const several = t(methods === 1 ? "grid.several.one" : "grid.several", { rows, methods });
      const labels = new Set(all.map(({ model, target: asked }) => asked ?? predictionOf(model, null)).map((known) => known && className(known)));
      const [label] = labels.size === 1 ? labels : [];
      this.question.textContent = label ? t(against ? "grid.whyNot" : "grid.why", { label, against }) : several;
      this.context.textContent = [label ? several : against && t("grid.against", { against }), score].filter(Boolean).join(" · ");
      return;
    }
    const label = target ? className(target) : undefined;
    this.question.textContent = label ? t(against ? "grid.whyNot" : "grid.why", { label, against }) : t("grid.top");
    const value = /** @type {Record<string, any> | undefined} */ (predictionOf(askedModel(), target))?.[ask.score];
    const valued = value === undefined || against ? score : `${score} ${format.number(value)}`;
    this.context.textContent = [modelTitle(askedModel()), valued].filter(Boolean).join(" · ");
  }

  /**
   * Methods that are not in the grid yet.
   * @param {string | null} id
   */
  offerMethods(id) {
    const { methods } = store.state;
    const absent = (methods ?? []).filter((method) => !methodsOf(store.state).includes(method.id));
    this.add.hidden = !id || absent.length === 0;
  }

  /** @param {string} id */
  addChosen(id) {
    addMethod(id);
    announce(t("row.added.method", { method: methodTitle(id) }));
    this.reveal((panel) => panel.method === id);
  }

  /**
   * Brings the first of these maps into view, and marks all of them for a moment.
   * @param {(panel: Panel) => boolean} belongs
   */
  reveal(belongs) {
    requestAnimationFrame(() => {
      const cells = /** @type {MapPanel[]} */ ([...this.#cells.values()]).filter(({ panel }) => belongs(panel));
      cells[0]?.scrollIntoView({ block: "nearest", inline: "nearest" });
      for (const cell of cells) {
        cell.classList.remove("is-new");
        cell.classList.add("is-new");
        cell.addEventListener("animationend", () => cell.classList.remove("is-new"), { once: true });
      }
    });
  }

  showHidden() {
    const rows = hiddenRows(store.state);
    const methods = hiddenMethods(store.state);
    const count = rows.length + methods.length;
    this.hiddenButton.hidden = count === 0;
    this.hiddenButton.textContent = t("grid.hidden", { count });
    this.hiddenMenu.attachActions(this.hiddenButton, this.hiddenButton.textContent, () => [
      ...rows.map(({ key, model, target }) => ({
        text: t("row.show", { model: modelTitle(model), label: nameOf(target ?? predictionOf(model, null)) }), run: () => showRow(key),
      })),
      ...methods.map((method) => ({ text: t("column.show", { method: methodTitle(method) }), run: () => showMethod(method) })),
    ]);
  }

  updateStatus() {
    const { panels, phase } = store.state;
    const seconds = secondsOf(panels);
    const of = panels.length;
    const done = panels.filter(isFinal).length;
    /** @type {Partial<Record<Phase, () => string>>} */
    const texts = {
      loading: () => t("grid.loading"),
      running: () => t("grid.progress", { done, of }),
      done: () => (seconds === null ? t("grid.progress", { done, of }) : t("grid.done", { of, seconds: format.duration(seconds) })),
      cancelled: () => t("grid.partly", { done, of }),
    };
    this.status.textContent = texts[phase]?.() ?? "";
    this.tellMissing();
  }
}

/**
 * How many seconds the maps that are shown took, whenever they were computed; null where one is not finished.
 * @param {Panel[]} panels
 */
function secondsOf(panels) {
  let sum = 0;
  for (const { record } of panels) {
    if (!record) return null;
    sum += record.seconds;
  }
  return sum;
}
