import { chooseRow } from "../controller/layout.js";
import { el, iconButton } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { openFlow } from "../state/actions.js";
import { className, modelTitle, predictionOf } from "../state/models.js";
import { currentRow, sameRow } from "../state/rows.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { rowActions } from "./menu-actions.js";

/**
 * @import { RowWithPanels } from "../state/types.js"
 * @import { ActionMenu } from "../widgets/action-menu.js"
 */

/** The head of a row: model and class with its probability; a click makes it the row whose picture and predictions the side panel shows. */
export class RowHead extends View {
  /** @type {HTMLSpanElement} */ model;
  /** @type {HTMLSpanElement} */ label;
  /** @type {HTMLSpanElement} */ value;
  /** @type {HTMLButtonElement} */ choose;
  /** @type {HTMLButtonElement} */ flow;
  /** @type {HTMLButtonElement} */ more;
  /** @type {ActionMenu} */ menu;
  /** @type {RowWithPanels} */ row;

  build() {
    this.model = el("span", { class: "row-model" });
    this.label = el("span", { class: "row-label" });
    this.value = el("span", { class: "row-value muted" });
    this.choose = el("button", { type: "button", class: "row-choose", title: t("row.choose"), onclick: () => chooseRow(this.row.key) },
      this.model, " ", this.label, " ", this.value);
    this.flow = el("button", { type: "button", class: "link row-flow", onclick: () => openFlow(this.row.key) }, t("flow.open"));
    this.more = iconButton("more", "");
    this.menu = el("action-menu");
    this.append(el("div", { class: "row-words" }, this.choose, this.flow), this.more, this.menu);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["row", "layout", "ask", "models", "inputs"], () => this.render(), signal);
    store.watchPanels((id) => this.row?.panels.some((panel) => panel.id === id) && this.render(), signal);
  }

  /** @param {RowWithPanels} row */
  setRow(row) {
    this.row = row;
    if (this.isConnected) this.render();
  }

  render() {
    if (!this.row) return;
    const { key, model, panels } = this.row;
    const target = panels.find((panel) => panel.target)?.target;
    const prediction = target && predictionOf(model, target);
    const current = sameRow(currentRow(store.state)?.key, key);
    this.model.textContent = modelTitle(model);
    this.label.textContent = target ? className(target) : t("row.top");
    this.value.textContent = prediction ? format.probability(prediction.probability) : "";
    this.value.title = prediction ? t("row.probability") : "";
    this.choose.setAttribute("aria-pressed", String(current));
    this.toggleAttribute("current", current);
    const label = t("row.more", { model: this.model.textContent, label: this.label.textContent });
    this.more.setAttribute("aria-label", label);
    this.more.title = label;
    this.flow.setAttribute("aria-label", t("flow.open.of", { model: this.model.textContent, label: this.label.textContent }));
    this.flow.hidden = !store.state.inputs.has(model);
    this.menu.attachActions(this.more, label, () => rowActions(this.row, target));
  }
}
