import { addRows } from "../controller/layout.js";
import { costOfRows, planRows } from "../controller/row-plan.js";
import { offer } from "../models/downloads.js";
import { announce } from "../shared/announce.js";
import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { askedModel, askedTarget, modelOf, modelTitle } from "../state/models.js";
import { Popup } from "../widgets/popup.js";

/**
 * @import { ClassBody, ModelBody } from "../api/types.js"
 * @import { RowPlan } from "../controller/row-plan.js"
 * @import { ModelPicker } from "../models/model-picker.js"
 * @import { ClassSearch } from "../question/class-search.js"
 * @import { RowKey } from "../state/types.js"
 */

/** A form for another row: which class, which model, and what that adds. Another model is asked about the same class. */
export class AddRow extends Popup {
  /** @type {ClassSearch} */ classes;
  /** @type {ModelPicker} */ models;
  /** @type {HTMLInputElement} */ own;
  /** @type {HTMLParagraphElement} */ price;
  /** @type {HTMLButtonElement} */ submit;

  /** @type {ClassBody | null} */ target = null;
  /** The model in whose list the class has `target.index`. */ of = "";
  model = "";
  /** Called with the row that was chosen. @type {(row: RowKey) => void} */ added = () => {};

  /** @type {RowPlan | null} */
  #plan = null;
  #asking = new AbortController();

  content() {
    this.target = askedTarget();
    this.model = this.of = askedModel() ?? "";
    this.#plan = null;
    this.classes = el("class-search", { label: t("row.add.class"), placeholder: t("row.add.class.placeholder"), class: "field" });
    this.classes.model = this.model;
    this.models = el("model-picker", { label: t("row.add.model"), placeholder: t("row.add.model.placeholder"), class: "field", dropdown: true });
    this.own = el("input", { type: "checkbox", onchange: () => this.update() });
    this.price = el("p", { class: "small price", role: "status" });
    this.submit = el("button", { type: "submit", class: "button primary" }, t("row.add.do"));
    this.classes.addEventListener("choose", ({ detail: { index, label } }) => this.choose({ target: { index, label }, of: this.model }));
    this.models.addEventListener("choose", ({ detail }) => this.choose({ model: detail.id }));
    return [el("form", { class: "add-row-form", onsubmit: (event) => this.add(event) },
      this.models, this.classes, el("label", { class: "check" }, this.own, t("row.add.own")), this.price, this.submit)];
  }

  opened() {
    this.classes.chosen = this.target;
    this.models.value = this.model;
    this.update();
    // The event comes a moment after the popup has opened: who types in it already keeps the focus.
    if (!this.contains(document.activeElement)) this.models.input.focus();
  }

  /** @param {{ target?: ClassBody, of?: string, model?: string }} choice */
  choose(choice) {
    Object.assign(this, choice);
    this.classes.model = this.model;
    this.update();
  }

  /** The chosen model, if its weights are not on the server; else null. */
  get absent() {
    const model = modelOf(this.model);
    return model && model.availability !== "ready" ? model : null;
  }

  /** Says what the row would add. */
  async update() {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    this.#plan = null;
    this.classes.input.disabled = this.own.checked;
    const { absent } = this;
    this.submit.textContent = absent ? t("row.add.download") : t("row.add.do");
    if (absent) return this.say(this.aboutWeights(absent), absent.availability === "downloadable");
    this.say(t("row.add.counting"), false);
    try {
      const plan = await planRows({ model: this.model, target: this.target, of: this.of, own: this.own.checked }, signal);
      if (signal.aborted) return undefined;
      const [missing] = plan.missing;
      if (missing) return this.say(t("row.add.missing", { model: modelTitle(missing.model), label: missing.label }), false);
      if (!plan.added.length) return this.say(t("row.add.there"), false);
      const cost = await costOfRows(plan, signal);
      if (signal.aborted) return undefined;
      this.#plan = plan;
      return this.say(costText(cost), true);
    } catch (error) {
      return signal.aborted ? undefined : this.say(error.detail ?? error.message, false);
    }
  }

  /** @param {ModelBody} model */
  aboutWeights({ title, weights, availability }) {
    if (availability !== "downloadable") return t("model.missing.reason", { file: weights.file });
    return t("row.add.weights", { model: title, size: weights.bytes ? format.bytes(weights.bytes) : "?" });
  }

  /**
   * @param {string} text
   * @param {boolean} enabled - whether the button can be pressed
   */
  say(text, enabled) {
    this.price.textContent = text;
    this.submit.disabled = !enabled;
  }

  /** @param {SubmitEvent} event */
  add(event) {
    event.preventDefault();
    const { absent } = this;
    const plan = this.#plan;
    if (!absent && !plan) return;
    this.hidePopover();
    this.button.focus();
    if (absent) offer(absent.id, { adding: true });
    else if (plan) {
      addRows(plan);
      announce(t("row.added", { model: modelTitle(plan.row.model) }));
      this.added(plan.row);
    }
  }
}

/** @param {{ rows: number, maps: number, seconds: number | null }} cost */
function costText({ rows, maps, seconds }) {
  const time = seconds === null ? t("parameters.seconds.unknown") : t("parameters.seconds", { seconds: format.duration(seconds) });
  return `${t(rows === 1 ? "row.add.one" : "row.add.rows", { rows })}, ${t(maps === 1 ? "row.add.map" : "row.add.maps", { maps })}, ${time}`;
}
