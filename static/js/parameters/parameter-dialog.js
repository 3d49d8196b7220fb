import { el, focused, iconButton } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { openParameters } from "../state/actions.js";
import { summaryOf, titleOf } from "../state/methods.js";
import { askedModel } from "../state/models.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { computeWith, parametersOf, costOf, valuesOf } from "./parameters.js";

/**
 * @import { FieldError } from "../api/types.js"
 * @import { ParameterField } from "./parameter-field.js"
 */

const PAUSE = 200; // milliseconds without a change before the price is asked for

/** The parameters of a method: a form made from its schema, the price, and the way to compute with them. */
export class ParameterDialog extends View {
  /** @type {HTMLHeadingElement} */ heading;
  /** @type {HTMLParagraphElement} */ summary;
  /** @type {HTMLDivElement} */ fields;
  /** @type {HTMLParagraphElement} */ price;
  /** @type {HTMLButtonElement} */ reset;
  /** @type {HTMLFormElement} */ form;
  /** @type {HTMLDialogElement} */ dialog;
  /** @type {HTMLElement | null} */ opener;

  #timer = 0;
  #pricing = new AbortController();

  build() {
    this.heading = el("h2", { id: "parameters-title", class: "question" });
    this.summary = el("p", { class: "small muted" });
    this.fields = el("div", { class: "parameter-fields" });
    this.price = el("p", { class: "small price", role: "status" });
    this.reset = el("button", { type: "button", class: "link", onclick: () => this.restore() }, t("parameters.restore"));
    this.form = el("form", { method: "dialog", novalidate: true, onsubmit: (event) => this.submit(event) },
      this.fields, this.price,
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

  /** @param {string | null} method */
  follow(method) {
    if (!method) return this.dialog.close();
    this.append(this.dialog);
    this.opener = focused();
    this.heading.textContent = t("parameters.title", { method: titleOf(method) });
    this.summary.textContent = summaryOf(method);
    const values = valuesOf(method);
    this.fields.replaceChildren(...parametersOf(method).map((parameter) => {
      const field = el("parameter-field");
      field.serve(parameter, { model: askedModel(), changed: () => this.changed() });
      field.value = values[parameter.name];
      return field;
    }));
    this.price.textContent = "";
    this.dialog.showModal();
    /** @type {HTMLElement | null} */ (this.fields.querySelector("input, select"))?.focus();
    return this.ask();
  }

  closed() {
    clearTimeout(this.#timer);
    this.#pricing.abort();
    this.dialog.remove();
    openParameters(null);
    if (this.opener?.isConnected) this.opener.focus();
  }

  get all() {
    return /** @type {ParameterField[]} */ ([...this.fields.children]);
  }

  get values() {
    return Object.fromEntries(this.all.map((field) => [field.parameter.name, field.value]));
  }

  restore() {
    for (const field of this.all) field.value = field.parameter.initial;
    this.changed();
  }

  changed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(), PAUSE);
  }

  /** What it would cost; the server sees the same parameters that it is to compute with, and says what it has against them. */
  async ask() {
    this.#pricing.abort();
    this.#pricing = new AbortController();
    const { signal } = this.#pricing;
    this.reset.hidden = this.all.every((field) => field.value === field.parameter.initial);
    if (this.all.some((field) => field.problem)) {
      this.price.textContent = t("parameters.price.none");
      return;
    }
    try {
      const price = await costOf(this.method ?? "", this.values, signal);
      if (!signal.aborted) this.price.textContent = priceText(price);
    } catch (error) {
      if (!signal.aborted) this.refused(error);
    }
  }

  /**
   * The server's words stand at the field that they are about.
   * @param {{ errors?: FieldError[], detail?: string, message?: string }} error
   */
  refused({ errors = [], detail, message }) {
    const rest = errors.filter(({ field, detail: words }) => {
      const place = this.all.find(({ parameter }) => field === `options.${this.method}.${parameter.name}`);
      place?.complain(words.replace(`${field}: `, ""));
      return !place;
    });
    this.price.textContent = rest.length || !errors.length ? (detail ?? message ?? "") : t("parameters.price.none");
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    const wrong = this.all.find((field) => field.problem || !field.message.hidden);
    if (wrong) {
      event.preventDefault();
      wrong.control.input.focus();
      return;
    }
    if (this.method) computeWith(this.method, this.values);
  }
}

/** @param {{ maps: number, evaluations: number, seconds: number | null }} cost */
function priceText({ maps, evaluations, seconds }) {
  const time = seconds === null ? t("parameters.seconds.unknown") : t("parameters.seconds", { seconds: format.seconds(seconds) });
  const cost = t(evaluations === 1 ? "parameters.price.one" : "parameters.price", { evaluations });
  return [maps > 1 ? t("parameters.maps", { maps }) : null, cost, time].filter(Boolean).join(" · ");
}
