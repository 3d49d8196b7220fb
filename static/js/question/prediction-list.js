import { askTarget } from "../controller/layout.js";
import { el, refill } from "../shared/dom.js";
import { findingNode } from "../shared/finding.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { askedModel, askedTarget, className, modelTitle, shownInput } from "../state/models.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";

/** @import { PredictedClass } from "../api/types.js" */

const ROWS = 5;

/**
 * @typedef {object} Row
 * @property {HTMLElement} label
 * @property {HTMLElement} value
 * @property {HTMLElement} bar
 * @property {HTMLButtonElement} button
 * @property {HTMLElement} item
 * @property {PredictedClass | null} prediction
 */

/** What the model believes; a click explains that class. Rows are kept, so that focus stays where it is. */
export class PredictionList extends View {
  /** @type {Row[]} */ rows;
  /** What is to be known of the network. @type {HTMLElement} */ notes;

  build() {
    this.rows = Array.from({ length: ROWS }, () => this.row());
    this.notes = el("div", {});
    this.append(el("ol", { class: "predictions" }, ...this.rows.map(({ item }) => item)), this.notes);
  }

  row() {
    const label = el("span", { class: "prediction-label" });
    const value = el("span", { class: "prediction-value" });
    const bar = el("span", { class: "prediction-bar" });
    const button = el("button", { type: "button", class: "prediction", disabled: true, onclick: () => this.explain(row) }, label, value, bar);
    /** @type {Row} */
    const row = { label, value, bar, button, item: el("li", {}, button), prediction: null };
    return row;
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["inputs", "ask", "layout", "row", "id", "models"], () => this.show(), signal);
  }

  /** @param {Row} row */
  explain({ prediction }) {
    if (prediction) askTarget({ index: prediction.index, label: prediction.label });
  }

  show() {
    const { id } = store.state;
    const predictions = shownInput()?.predictions ?? [];
    const target = askedTarget();
    this.rows.forEach((row, rank) => {
      const prediction = predictions[rank];
      row.prediction = prediction ?? null;
      row.button.disabled = !prediction || !id;
      row.label.textContent = prediction ? className(prediction) : "";
      row.value.textContent = prediction ? format.probability(prediction.probability) : "";
      row.bar.style.setProperty("--share", String(prediction?.probability ?? 0));
      row.button.setAttribute("aria-pressed", String(prediction !== undefined && prediction.index === target?.index));
      if (!prediction) return row.button.setAttribute("aria-label", t("predictions.waiting"));
      const { label, index } = prediction;
      row.button.setAttribute("aria-label", t("predictions.explain", { label: className(prediction), index, probability: row.value.textContent }));
      row.button.title = `${label} · ${index}`;
      return undefined;
    });
    const input = shownInput();
    // Until the model that is asked has answered, these are another's.
    const other = input && input.model !== askedModel() ? input.model : null;
    this.classList.toggle("is-stale", other !== null);
    const whose = other === null ? [] : [el("p", { class: "small muted" }, t("predictions.before", { model: modelTitle(other) }))];
    refill(this.notes, ...whose, ...(shownInput()?.notes ?? []).map((note) => el("p", { class: "small muted" }, findingNode(note, "note"))));
  }
}
