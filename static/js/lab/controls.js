// The controls of an experiment, which the page came with: what is set in them, and what is wrong with it.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { same } from "./address.js";
import { GridControl, gridComplaint } from "./grid-control.js";
import { complaintOf, numberIn, placeSlider, prepareSlider, slidTo } from "./number-control.js";

/** @import { Declared } from "./types.js" */

/** @typedef {Record<string, any>} Values */

/** @type {Declared} */
export const SEED = {
  name: "seed", kind: "number", initial: 0, low: 0, high: 2 ** 31 - 1, open_low: false, open_high: false, whole: true, step: 1, log: false,
  choices: [], optional: false, other: null,
};

const COARSE = 10; // steps, with Shift

/**
 * The number that stands in the place of a word at first.
 * @param {Declared} number
 */
function ownNumber({ low, high, whole }) {
  const usual = whole ? 1 : 0.01;
  return Math.min(high ?? usual, Math.max(low ?? usual, usual));
}

/** One parameter: the elements that set it, its value, and what is wrong. */
class Field {
  /** @type {any} */ #value;

  /**
   * @param {HTMLElement} place
   * @param {Declared} declared
   * @param {(done: boolean) => void} changed
   */
  constructor(place, declared, changed) {
    this.place = place;
    this.declared = declared;
    this.changed = changed;
    /** @type {(name: string) => any} */
    const part = (name) => place.querySelector(`[data-${name}]`);
    this.box = part("number");
    this.slider = part("slider");
    this.off = part("off");
    this.toggle = part("switch");
    this.list = part("choice");
    this.text = part("text");
    this.several = part("several");
    this.own = part("own");
    this.radios = /** @type {HTMLInputElement[]} */ ([...place.querySelectorAll("[data-radio]")]);
    this.message = /** @type {HTMLElement} */ (place.querySelector(".complaint"));
    this.number = declared.other ?? declared; // what a number of it is held to
    this.grid = declared.kind === "grid" ? new GridControl(place, declared, { get: () => this.#value, take: (value, used) => this.take(value, true, used) }) : null;
    if (this.slider) prepareSlider(this.slider, this.number);
    this.listen();
  }

  listen() {
    this.slider?.addEventListener("input", () => this.take(slidTo(this.slider, this.number), false, this.slider));
    this.slider?.addEventListener("change", () => this.changed(true));
    this.box?.addEventListener("input", () => this.take(numberIn(this.box.value), false, this.box));
    // A box that gives place to a word loses the focus, and tells its number once more.
    this.box?.addEventListener("change", () => this.own?.hidden || this.take(numberIn(this.box.value), true));
    this.box?.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.step(event));
    this.toggle?.addEventListener("change", () => this.take(this.toggle.checked, true));
    this.off?.addEventListener("change", () => this.take(this.off.checked ? null : this.declared.initial ?? this.number.low ?? this.declared.choices[0], true));
    this.list?.addEventListener("change", () => this.choose(this.list.value));
    for (const radio of this.radios) radio.addEventListener("change", () => this.choose(radio.value));
    this.text?.addEventListener("input", () => this.take(this.typed(), false, this.text));
    this.text?.addEventListener("change", () => this.take(this.typed(), true, this.text));
  }

  /** What stands in the field for text: a text, or a list of numbers. */
  typed() {
    if (this.declared.kind === "text") return this.text.value;
    return this.text.value.split(/[\s,;，、]+/).filter(Boolean).map(numberIn);
  }

  /** @param {string} text */
  choose(text) {
    const { choices } = this.declared;
    const known = choices.find((choice) => String(choice) === text);
    this.take(known ?? ownNumber(this.number), true);
    if (known === undefined) this.box?.focus();
  }

  /** @param {KeyboardEvent} event */
  step(event) {
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const { step, low, high } = this.number;
    const to = Number((Number(this.#value) + way * (event.shiftKey ? COARSE : 1) * (step ?? 1)).toPrecision(10));
    this.take(Math.min(high ?? to, Math.max(low ?? to, to)), true);
  }

  /** @param {any} value */
  complaint(value) {
    const { kind, choices, optional } = this.declared;
    if (optional && value === null) return null;
    if (kind === "numbers" && !(value.length >= (this.declared.low ?? 0) && value.every(Number.isFinite))) return t("lab.page.list");
    if (kind === "numbers" && this.declared.cell) return value.map((/** @type {number} */ one) => complaintOf(/** @type {Declared} */ (this.declared.cell), one)).find(Boolean) ?? null;
    if (kind === "grid") return gridComplaint(this.declared, value);
    if (kind === "number" || (kind === "choice" && !choices.includes(value))) return complaintOf(this.number, value);
    return null;
  }

  /**
   * A value that the visitor gave: it holds unless something is wrong with it.
   * @param {any} value
   * @param {boolean} done - the hand has come to rest
   * @param {Element} [used] - what the hand is at, which is left alone
   */
  take(value, done, used) {
    const wrong = this.complaint(value);
    this.complain(wrong);
    if (wrong) return;
    this.#value = value;
    this.show(used);
    this.changed(done);
  }

  /**
   * @param {string | null} text
   * @param {boolean} [english] - the server's own words
   */
  complain(text, english = false) {
    this.message.textContent = text ?? "";
    if (english) this.message.lang = "en";
    else this.message.removeAttribute("lang");
    this.message.hidden = !text;
    for (const input of this.place.querySelectorAll("input:not([type=range], [type=checkbox]), select")) {
      for (const [name, value] of [["aria-invalid", "true"], ["aria-describedby", this.message.id]]) {
        if (text) input.setAttribute(name, value);
        else input.removeAttribute(name);
      }
    }
  }

  get value() {
    return this.#value;
  }

  set value(value) {
    this.#value = value;
    this.complain(null);
    this.show();
  }

  /** @param {Element} [used] */
  show(used) {
    const value = this.#value;
    const chosen = this.declared.choices.includes(value);
    if (this.off) this.off.checked = value === null;
    this.place.toggleAttribute("data-is-off", value === null);
    if (this.toggle) this.toggle.checked = value === true;
    for (const radio of this.radios) radio.checked = radio.value === String(value);
    if (this.list) this.list.value = chosen ? String(value) : "";
    if (this.own) this.own.hidden = chosen;
    if (typeof value === "number" && this.box && this.box !== used) this.box.value = String(value);
    if (typeof value === "number" && this.slider) placeSlider(this.slider, this.number, value, this.slider !== used);
    if (this.text && this.text !== used) this.text.value = Array.isArray(value) ? value.join(", ") : value ?? "";
    if (this.several) this.showSeveral();
    this.grid?.show(value, used);
  }

  /** What the size of another grid follows from. */
  get size() {
    return this.declared.kind === "grid" ? [this.#value.length, this.#value[0]?.length] : this.#value;
  }

  /** A field for each of the numbers of a pair, or of those that have names. */
  showSeveral() {
    const names = Object.keys(this.#value ?? {});
    const inputsNow = () => /** @type {HTMLInputElement[]} */ ([...this.several.querySelectorAll("input")]);
    if (!same(inputsNow().map((input) => input.name), names)) {
      this.several.replaceChildren(...names.map((name) => el("label", {}, el("span", {}, Array.isArray(this.#value) ? "xyz"[Number(name)] : name),
        el("input", { type: "text", inputmode: "decimal", class: "number", name, spellcheck: "false", oninput: (/** @type {Event} */ event) => this.takePart(event), onchange: (/** @type {Event} */ event) => this.takePart(event) }))));
    }
    for (const input of inputsNow()) if (input !== document.activeElement) input.value = String(this.#value[input.name]);
  }

  /** @param {Event} event */
  takePart({ target, type }) {
    const input = /** @type {HTMLInputElement} */ (target);
    const part = numberIn(input.value);
    if (!Number.isFinite(part)) return this.complain(t("lab.page.number"));
    const next = Array.isArray(this.#value) ? this.#value.map((one, index) => (index === Number(input.name) ? part : one)) : { ...this.#value, [input.name]: part };
    this.take(next, type === "change", input);
  }
}

/**
 * The names in a formula: words that are not called.
 * @param {string} formula
 */
const namesIn = (formula) => [...new Set([...formula.matchAll(/(?<![\w.])[A-Za-z]\w*(?!\w)(?!\s*\()/g)].map(([name]) => name))];

/** All controls; `changed` is called whenever the visitor changed a value, with whether the hand has come to rest. */
export class Controls {
  /** @type {Values} */ known = {}; // numbers that names in a formula have had
  /** @type {Map<string, string>} */ #sizes = new Map(); // by the names of grids whose size follows others

  /**
   * @param {HTMLElement} form
   * @param {Declared[]} declared
   * @param {(done: boolean) => void} changed
   */
  constructor(form, declared, changed) {
    /** @type {Map<string, Field>} */
    this.fields = new Map();
    this.formula = declared.find(({ kind }) => kind === "text");
    this.named = declared.find(({ kind }) => kind === "values");
    for (const each of [...declared, SEED]) {
      const place = /** @type {HTMLElement | null} */ (form.querySelector(`[data-control="${each.name}"]`));
      if (place) this.fields.set(each.name, new Field(place, each, (done) => this.changed(each, done, changed)));
    }
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  /**
   * What was changed; the names in a formula keep their numbers, and a new one gets 1.
   * @param {Declared} declared
   * @param {boolean} done
   * @param {(done: boolean) => void} tell
   */
  changed(declared, done, tell) {
    const named = this.named && this.fields.get(this.named.name);
    if (declared === this.formula && named) {
      Object.assign(this.known, named.value);
      const names = namesIn(this.fields.get(declared.name)?.value ?? "");
      if (names.length) named.value = Object.fromEntries(names.map((name) => [name, this.known[name] ?? 1]));
    }
    this.follow(true);
    tell(done);
  }

  /**
   * A grid whose size follows other parameters has its default again once that size may be another.
   * @param {boolean} reset
   */
  follow(reset) {
    for (const [name, field] of this.fields) {
      const { follows = [], initial } = field.declared;
      if (!follows.length) continue;
      const size = JSON.stringify(follows.map((each) => this.sizeFrom(each)));
      if (reset && size !== this.#sizes.get(name)) field.value = initial;
      this.#sizes.set(name, size);
    }
  }

  /**
   * What a size follows from: a parameter, or with NAME=VALUE only whether it has that value.
   * @param {string} name
   */
  sizeFrom(name) {
    const [field, value] = [this.fields.get(name.split("=")[0]), name.split("=")[1]];
    return value === undefined ? field?.size : String(field?.value) === value;
  }

  /** @returns {{ values: Values, seed: number }} */
  get settings() {
    const { seed, ...values } = Object.fromEntries([...this.fields].map(([name, field]) => [name, field.value]));
    return { values, seed };
  }

  set settings({ values, seed }) {
    for (const [name, field] of this.fields) field.value = name === "seed" ? seed : values[name];
    this.follow(false);
  }

  /**
   * Sets one from elsewhere: a figure.
   * @param {string} name
   * @param {any} value
   * @param {boolean} done
   */
  set(name, value, done) {
    this.fields.get(name)?.take(value, done);
  }

  /**
   * Shows what the server refuses at its control; false where it has none.
   * @param {string} field - as the server names it
   * @param {string} text
   */
  complain(field, text) {
    const names = field.split(".");
    const found = names.map((name) => this.fields.get(name)).find((each) => each !== undefined);
    found?.complain(text.startsWith(`${field}: `) ? text.slice(field.length + 2) : text, true); // it stands at its field
    return found !== undefined;
  }

  /** What the server answered to before is no longer said. */
  quiet() {
    for (const field of this.fields.values()) field.complain(null);
  }
}
