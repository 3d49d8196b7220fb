import { el, focused, iconButton } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { openParameters } from "../state/actions.js";
import { methodTitle, summaryOf } from "../state/methods.js";
import { askedModel } from "../state/models.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { computeWith, parametersOf, costOf, valuesOf } from "./parameters.js";

/**
 * @import { FieldError } from "../api/types.js"
 * @import { ParameterField } from "./parameter-field.js"
 */

const DEBOUNCE_MS = 200; // without a change, before the cost is requested

/** A dialog with the parameters of a method: a form made from its schema, the estimated cost, and a button that computes. */
export class ParameterDialog extends View {
  /** @type {HTMLHeadingElement} */ heading;
  /** @type {HTMLParagraphElement} */ summary;
  /** @type {HTMLDivElement} */ fields;
  /** @type {HTMLParagraphElement} */ cost;
  /** @type {HTMLButtonElement} */ reset;
  /** @type {HTMLFormElement} */ form;
  /** @type {HTMLDialogElement} */ dialog;
  /** @type {HTMLElement | null} */ opener;

  #timer = 0;
  #costRequest = new AbortController();

  build() {
    this.heading = el("h2", { id: "parameters-title", class: "question" });
    this.summary = el("p", { class: "small muted" });
    this.fields = el("div", { class: "parameter-fields" });
    this.cost = el("p", { class: "small price", role: "status" });
    this.reset = el("button", { type: "button", class: "link", onclick: () => this.restore() }, t("parameters.restore"));
    this.form = el("form", { method: "dialog", novalidate: true, onsubmit: (event) => this.submit(event) },
      this.fields, this.cost,
      el("div", { class: "parameter-actions" }, el("button", { type: "submit", class: "button primary" }, t("parameters.compute")), this.reset));
    this.dialog = el("dialog", { class: "parameters", "aria-labelledby": "parameters-title", onclose: () => this.closed(), onclick: ({ target }) => target === this.dialog && this.dialog.close() },
      el("div", { class: "parameters-inner" },
        el("header", {}, el("div", {}, this.heading, this.summary), iconButton("close", t("parameters.close"), { onclick: () => this.dialog.close() })), this.form));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["parametersOf"], ({ parametersOf: method }) => this.follow(method), signal);
  }

  get method() {
    return store.state.parametersOf;
  }

  /**
   * Opens for a method, closes for null.
   * @param {string | null} method
   */
  follow(method) {
    if (!method) return this.dialog.close();
    this.append(this.dialog);
    this.opener = focused();
    this.heading.textContent = t("parameters.title", { method: methodTitle(method) });
    this.summary.textContent = summaryOf(method);
    const values = valuesOf(method);
    this.fields.replaceChildren(...parametersOf(method).map((parameter) => {
      const field = el("parameter-field");
      field.setUp(parameter, { model: askedModel(), changed: () => this.changed() });
      field.value = values[parameter.name];
      return field;
    }));
    this.cost.textContent = "";
    this.dialog.showModal();
    /** @type {HTMLElement | null} */ (this.fields.querySelector("input, select"))?.focus();
    return this.requestCost();
  }

  /** After the dialog has closed: clean up, and give the focus back. */
  closed() {
    clearTimeout(this.#timer);
    this.#costRequest.abort();
    this.dialog.remove();
    openParameters(null);
    if (this.opener?.isConnected) this.opener.focus();
  }

  get allFields() {
    return /** @type {ParameterField[]} */ ([...this.fields.children]);
  }

  get values() {
    return Object.fromEntries(this.allFields.map((field) => [field.parameter.name, field.value]));
  }

  /** Sets all parameters to their defaults. */
  restore() {
    for (const field of this.allFields) field.value = field.parameter.initial;
    this.changed();
  }

  /** After a change: request the cost again, once the visitor pauses. */
  changed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.requestCost(), DEBOUNCE_MS);
  }

  /** Asks the server what a map with these parameters would cost. This checks the parameters too: see `showErrors`. */
  async requestCost() {
    this.#costRequest.abort();
    this.#costRequest = new AbortController();
    const { signal } = this.#costRequest;
    this.reset.hidden = this.allFields.every((field) => field.value === field.parameter.initial);
    if (this.allFields.some((field) => field.problem)) {
      this.cost.textContent = t("parameters.price.none");
      return;
    }
    try {
      const cost = await costOf(this.method ?? "", this.values, signal);
      if (!signal.aborted) this.cost.textContent = costText(cost);
    } catch (error) {
      if (!signal.aborted) this.showErrors(error);
    }
  }

  /**
   * Shows each error of the server at the field that it is about, other errors below the fields.
   * @param {{ errors?: FieldError[], detail?: string, message?: string }} error
   */
  showErrors({ errors = [], detail, message }) {
    const unplaced = errors.filter(({ field: name, detail: text }) => {
      const field = this.allFields.find(({ parameter }) => name === `options.${this.method}.${parameter.name}`);
      field?.showProblem(text.replace(`${name}: `, ""));
      return !field;
    });
    this.cost.textContent = unplaced.length || !errors.length ? (detail ?? message ?? "") : t("parameters.price.none");
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    const invalid = this.allFields.find((field) => field.problem || !field.message.hidden);
    if (invalid) {
      event.preventDefault();
      invalid.control.input.focus();
      return;
    }
    if (this.method) computeWith(this.method, this.values);
  }
}

/** @param {{ maps: number, evaluations: number, seconds: number | null }} cost */
function costText({ maps, evaluations, seconds }) {
  const time = seconds === null ? t("parameters.seconds.unknown") : t("parameters.seconds", { seconds: format.duration(seconds) });
  const count = t(evaluations === 1 ? "parameters.price.one" : "parameters.price", { evaluations });
  return [maps > 1 ? t("parameters.maps", { maps }) : null, count, time].filter(Boolean).join(" · ");
}
