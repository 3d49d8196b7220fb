import { el, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { choiceTitle } from "../state/methods.js";
import { boundsOf, complaintOf } from "./parameters.js";

/** @import { Parameter } from "./parameters.js" */

/**
 * What takes a value in: its node, the element that has the focus, and the value itself.
 * @typedef {object} Control
 * @property {HTMLElement} node
 * @property {HTMLInputElement | HTMLSelectElement} input
 * @property {() => any} get
 * @property {(value: any) => void} set
 */

/** @typedef {{ model?: string | null, change: () => void }} Surroundings */

/** @param {any} value */
const shown = (value) => (typeof value === "boolean" ? t(value ? "value.yes" : "value.no") : choiceTitle(value));

/**
 * @param {string} key
 * @param {string} part
 */
const id = (key, part) => `parameter-${key}-${part}`;

/**
 * @param {Parameter} parameter
 * @returns {Control}
 */
function numberControl({ key, kind, low, high, openLow }) {
  const input = el("input", {
    id: id(key, "control"), type: "number", inputmode: kind === "integer" ? "numeric" : "decimal", autocomplete: "off",
    min: openLow ? null : low, max: high, step: kind === "integer" ? "1" : "any",
  });
  return { node: input, input, get: () => input.valueAsNumber, set: (value) => { input.value = String(value); } };
}

/**
 * @param {Parameter} parameter
 * @returns {Control}
 */
function booleanControl({ key }) {
  const input = el("input", { id: id(key, "control"), type: "checkbox" });
  return { node: input, input, get: () => input.checked, set: (value) => { input.checked = value; } };
}

/**
 * @param {Parameter} parameter
 * @returns {Control}
 */
function choiceControl({ key, choices }) {
  const input = el("select", { id: id(key, "control") }, ...choices.map((choice) => el("option", { value: String(choice) }, choiceTitle(choice))));
  return { node: input, input, get: () => choices[input.selectedIndex], set: (value) => { input.selectedIndex = choices.indexOf(value); } };
}

/**
 * @param {Parameter} parameter
 * @returns {Control}
 */
function textControl({ key, length }) {
  const input = el("input", { id: id(key, "control"), type: "text", maxlength: length, autocomplete: "off", spellcheck: "false" });
  return { node: input, input, get: () => input.value, set: (value) => { input.value = value; } };
}

/**
 * A layer is searched among those of the model.
 * @param {Parameter} parameter
 * @param {Surroundings} surroundings
 * @returns {Control}
 */
function layerControl({ title }, { model, change }) {
  const node = el("layer-search", { label: title, class: "field", dropdown: true });
  /** @type {string | null} */
  let chosen = null;
  node.addEventListener("choose", ({ detail }) => {
    chosen = detail.name;
    change();
  });
  return {
    node, get input() { return node.input; }, get: () => chosen, set: (value) => {
      chosen = value;
      node.setModel(model ?? null, value);
    },
  };
}

/** @type {Record<string, (parameter: Parameter, surroundings: Surroundings) => Control>} */
const CONTROLS = { integer: numberControl, number: numberControl, boolean: booleanControl, choice: choiceControl, layer: layerControl };

/** A field of the form: control, bounds, help, a button that restores the default, and what is wrong. */
export class ParameterField extends HTMLElement {
  /** @type {Parameter} */ parameter;
  /** @type {Control} */ control;
  /** @type {HTMLButtonElement} */ restore;
  /** @type {HTMLParagraphElement} */ message;

  /**
   * `changed` is called whenever the value was changed by the visitor.
   * @param {Parameter} parameter
   * @param {{ model?: string | null, changed: () => void }} surroundings
   */
  setUp(parameter, { model, changed }) {
    const { key, name, kind, title, help, initial } = parameter;
    this.parameter = parameter;
    this.dataset.name = name;
    const change = () => {
      this.check();
      changed();
    };
    this.control = (CONTROLS[kind] ?? textControl)(parameter, { model, change });
    this.restore = iconButton("undo", t("parameter.restore", { title, value: shown(initial) }), { class: "icon-button restore", onclick: () => {
      this.value = initial;
      this.control.input.focus();
      change();
    } });
    this.message = el("p", { id: id(key, "message"), class: "small search-message", role: "alert", hidden: true });
    const hint = [boundsOf(parameter), t("parameter.default", { value: shown(initial) })].filter(Boolean).join(" · ");
    const label = kind === "layer" ? null : el("label", { for: id(key, "control"), class: "parameter-title" }, title);
    if (label) this.append(label);
    this.append(el("div", { class: "parameter-control" }, this.control.node, this.restore),
      el("p", { id: id(key, "help"), class: "small muted" }, help), el("p", { class: "small muted" }, hint), this.message);
    this.addEventListener("input", change);
    this.describe();
  }

  describe() {
    this.control.input?.setAttribute("aria-describedby", `${id(this.parameter.key, "help")} ${id(this.parameter.key, "message")}`);
  }

  connectedCallback() {
    this.describe();
  }

  get value() {
    return this.control.get();
  }

  set value(value) {
    this.control.set(value);
    this.check();
  }

  get problem() {
    return complaintOf(this.parameter, this.value);
  }

  check() {
    this.restore.disabled = this.value === this.parameter.initial;
    this.showProblem(this.problem);
  }

  /** @param {string | null} text */
  showProblem(text) {
    this.message.textContent = text ?? "";
    this.message.hidden = !text;
    if (text) this.control.input?.setAttribute("aria-invalid", "true");
    else this.control.input?.removeAttribute("aria-invalid");
  }
}
