import { el, icon } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { View } from "./view.js";

// With fewer pixels than this under the field, the list opens upwards if there are more above it.
const ROOM = 272;
let count = 0;

/**
 * A field with a list of options to search (ARIA's editable combobox with a listbox); fires `choose` with the option.
 * With the attribute `dropdown` a click opens the list, like a <select>.
 * A listener that calls preventDefault keeps what was chosen before. Subclasses say what is found and how it reads.
 */
export class Combobox extends View {
  /** @type {HTMLDivElement} */ list;
  /** @type {HTMLDivElement} */ foot;
  /** @type {HTMLDivElement} */ popup;
  /** @type {HTMLInputElement} */ input;
  /** @type {HTMLParagraphElement} */ message;
  /** @type {HTMLSpanElement} */ heard;

  #search = new AbortController();
  #timer = 0;
  /** @type {any[]} */
  #options = [];
  #active = -1;
  /** @type {any} */
  #chosen = null;
  #typed = false;

  // What a subclass overrides

  /**
   * Options for a query, best first; may be a promise.
   * @param {string} query
   * @param {AbortSignal} signal
   * @returns {any[] | Promise<any[]>}
   */
  find(query, signal) { return []; }

  /**
   * Tells options apart: one that is chosen may be another object than the one in the list.
   * @param {any} option
   * @returns {any}
   */
  keyOf(option) { return option.id; }

  /**
   * What stands in the field when the option is chosen.
   * @param {any} option
   * @returns {string}
   */
  textOf(option) { return option.title; }

  /**
   * The nodes of the option's row in the list.
   * @param {any} option
   * @returns {Node[]}
   */
  rowOf(option) { return []; }

  /**
   * The option's row as it is read out, where the row itself would not do.
   * @param {any} option
   * @returns {string | null}
   */
  nameOf(option) { return null; }

  /**
   * Options of the same heading stand together under it.
   * @param {any} option
   * @returns {string | null}
   */
  headingOf(option) { return null; }

  /**
   * Lines under the list.
   * @returns {string[]}
   */
  notes() { return []; }

  /** The query while nothing was typed; empty for a short list, which is then shown whole. */
  get initialQuery() { return ""; }

  /**
   * The message if nothing was found.
   * @param {string} query
   */
  notFoundText(query) { return ""; }

  get label() { return this.getAttribute("label"); }

  build() {
    count += 1;
    this.id ||= `search-${count}`;
    const id = `${this.id}-input`;
    this.list = el("div", { id: `${this.id}-list`, role: "listbox", "aria-label": this.label });
    this.foot = el("div", { class: "options-notes small muted" });
    this.popup = el("div", { class: "options", hidden: true }, this.head(), this.list, this.foot);
    this.input = el("input", {
      id, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder: this.getAttribute("placeholder"),
      "aria-expanded": "false", "aria-controls": this.list.id, "aria-autocomplete": "list",
      oninput: () => this.later(), onkeydown: (event) => this.key(event), onclick: () => this.toggle(),
      onfocus: () => this.input.select(), onblur: () => this.close(),
    });
    this.message = el("p", { class: "small muted search-message", hidden: true });
    this.heard = el("span", { class: "unseen", role: "status" });
    this.append(el("label", { for: id, class: "field-label" }, this.label),
      el("div", { class: "combobox" }, this.input, this.hasAttribute("dropdown") ? icon("open") : null, this.popup), this.message, this.heard);
    // pointerdown, so that the input keeps the focus and the list is still there for the click
    this.popup.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = /** @type {HTMLElement} */ (event.target).closest("[role=option]");
      if (option) this.choose(this.#options[Number(option.getAttribute("data-index"))]);
    });
    this.chosen = this.#chosen;
  }

  /**
   * Stands above the list and does not scroll with it, such as the names of columns.
   * @returns {Node | null}
   */
  head() { return null; }

  get opened() {
    return !this.popup.hidden;
  }

  get chosen() {
    return this.#chosen;
  }

  /** What stands in the field while nobody types. */
  set chosen(option) {
    this.#chosen = option;
    if (this.input && !this.#typed) this.input.value = option ? this.textOf(option) : "";
  }

  /** @param {string} text */
  set placeholder(text) {
    this.input.placeholder = text;
  }

  /** A click opens what is there to choose from; a caret that is placed in typed text changes nothing. */
  toggle() {
    if (this.#typed || !this.hasAttribute("dropdown")) return;
    if (this.opened) this.close();
    else this.search();
  }

  later() {
    this.#typed = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.search(), 120);
  }

  async search() {
    this.#search.abort();
    this.#search = new AbortController();
    const { signal } = this.#search;
    const query = this.#typed ? this.input.value.trim() : this.initialQuery;
    try {
      const found = await this.find(query, signal);
      if (!signal.aborted) this.show(found, query);
    } catch (error) {
      if (!signal.aborted) this.showMessage(error.detail || error.message);
    }
  }

  /**
   * @param {any[]} found
   * @param {string} query
   */
  show(found, query) {
    this.#options = found;
    const notes = this.notes();
    this.list.replaceChildren(...this.arranged(found));
    this.foot.replaceChildren(...notes.map((note) => el("p", {}, note)));
    this.popup.hidden = found.length === 0;
    this.input.setAttribute("aria-expanded", String(found.length > 0));
    this.list.scrollTop = 0;
    const { top, bottom } = this.input.getBoundingClientRect();
    this.popup.classList.toggle("above", innerHeight - bottom < ROOM && top > innerHeight - bottom);
    this.showMessage(found.length ? "" : this.notFoundText(query));
    this.heard.textContent = found.length ? [t("search.found", { count: found.length }), ...notes].join(". ") : "";
    const chosen = this.#chosen ? this.keyOf(this.#chosen) : null;
    this.activate(query && found.length ? 0 : found.findIndex((option) => this.keyOf(option) === chosen));
  }

  /**
   * The rows; where there are headings, in groups.
   * @param {any[]} found
   */
  arranged(found) {
    const groups = new Map();
    found.forEach((option, index) => {
      const heading = this.headingOf(option);
      groups.set(heading, [...(groups.get(heading) ?? []), this.row(option, index)]);
    });
    return [...groups].flatMap(([heading, rows], index) => {
      if (heading === null) return rows;
      const id = `${this.list.id}-group-${index}`;
      return el("div", { role: "group", "aria-labelledby": id }, el("div", { id, role: "presentation", class: "options-heading" }, heading), ...rows);
    });
  }

  /**
   * @param {any} option
   * @param {number} index
   */
  row(option, index) {
    return el("div", { role: "option", id: `${this.list.id}-${index}`, "data-index": String(index), "aria-selected": "false", "aria-label": this.nameOf(option) },
      ...this.rowOf(option));
  }

  /** @param {string} text */
  showMessage(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  /** @param {number} index */
  activate(index) {
    this.#row(this.#active)?.setAttribute("aria-selected", "false");
    this.#active = index;
    const option = this.#row(index);
    if (!option) return this.input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    return this.input.setAttribute("aria-activedescendant", option.id);
  }

  /** @param {number} index */
  #row(index) {
    return this.list.querySelector(`[data-index="${index}"]`);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const last = this.#options.length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!this.opened) return this.search();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const index = this.#active + step;
      return this.activate(index < 0 ? last : index > last ? 0 : index);
    }
    if (event.key === "Enter") {
      event.preventDefault();
      if (this.opened && this.#options[this.#active]) this.choose(this.#options[this.#active]);
    }
    if (event.key === "Escape" && this.opened) {
      // Only the list goes, not the menu that the field may stand in.
      event.preventDefault();
      event.stopPropagation();
      this.close();
    }
    return undefined;
  }

  /** @param {any} option */
  choose(option) {
    if (this.dispatchEvent(new CustomEvent("choose", { detail: option, cancelable: true }))) this.#chosen = option;
    this.close();
    this.input.select();
  }

  close() {
    clearTimeout(this.#timer);
    this.#search.abort();
    this.popup.hidden = true;
    this.#active = -1;
    this.#typed = false;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.chosen = this.#chosen;
    this.showMessage("");
  }
}
