import * as api from "../api.js";
import { el } from "../dom.js";
import { store } from "../store.js";
import { t } from "../texts.js";
import { View } from "./view.js";

// Below this many pixels the list opens upwards, where there is more.
const ROOM = 272;
let count = 0;

/** A combobox over a model's classes; fires `choose` with {index, label}. */
export class ClassSearch extends View {
  #search = new AbortController();
  #timer = 0;
  #options = [];
  #active = -1;
  #chosen = null;

  build() {
    count += 1;
    const id = `class-search-${count}`;
    this.list = el("ul", { id: `${id}-list`, role: "listbox", class: "options", "aria-label": this.getAttribute("label"), hidden: true });
    this.input = el("input", {
      id, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder: this.getAttribute("placeholder"),
      "aria-expanded": "false", "aria-controls": this.list.id, "aria-autocomplete": "list",
      oninput: () => this.later(), onkeydown: (event) => this.key(event), onfocus: () => this.input.select(), onblur: () => this.close(),
    });
    this.message = el("p", { class: "small muted search-message", hidden: true });
    this.heard = el("span", { class: "unseen", role: "status" });
    this.append(el("label", { for: id, class: "field-label" }, this.getAttribute("label")), el("div", { class: "combobox" }, this.input, this.list), this.message, this.heard);
    // pointerdown, so that the input keeps the focus and the list is still there for the click
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.choose(this.#options[Number(option.dataset.place)]);
    });
  }

  /** What stands in the field while nobody types. */
  set chosen(target) {
    this.#chosen = target;
    if (document.activeElement !== this.input) this.input.value = target?.label ?? "";
  }

  set placeholder(text) {
    this.input.placeholder = text;
  }

  later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.search(), 120);
  }

  async search() {
    this.#search.abort();
    this.#search = new AbortController();
    const { signal } = this.#search;
    const model = store.state.ask.model ?? store.state.models?.default;
    const query = this.input.value.trim();
    if (!model) return;
    try {
      const found = await api.classes(model, query, { signal });
      if (!signal.aborted) this.show(found, query);
    } catch (error) {
      if (!signal.aborted) this.tell(error.detail || error.message);
    }
  }

  show(found, query) {
    this.#options = found;
    this.list.replaceChildren(...found.map((option, place) => el("li",
      { role: "option", id: `${this.input.id}-${place}`, "data-place": String(place), "aria-selected": "false" },
      el("span", {}, option.label), el("span", { class: "muted" }, String(option.index)))));
    this.list.hidden = found.length === 0;
    this.input.setAttribute("aria-expanded", String(found.length > 0));
    this.list.scrollTop = 0;
    const { top, bottom } = this.input.getBoundingClientRect();
    this.list.classList.toggle("above", innerHeight - bottom < ROOM && top > innerHeight - bottom);
    this.tell(found.length ? "" : t("ask.none", { query }));
    this.heard.textContent = found.length ? t("ask.found", { count: found.length }) : "";
    this.activate(found.length && query ? 0 : -1);
  }

  tell(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  activate(place) {
    this.list.children[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = place;
    const option = this.list.children[place];
    if (!option) return this.input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    return this.input.setAttribute("aria-activedescendant", option.id);
  }

  key(event) {
    const last = this.#options.length - 1;
    const open = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) return this.search();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const place = this.#active + step;
      return this.activate(place < 0 ? last : place > last ? 0 : place);
    }
    if (event.key === "Enter") {
      event.preventDefault();
      if (open && this.#options[this.#active]) this.choose(this.#options[this.#active]);
    }
    if (event.key === "Escape" && open) {
      event.stopPropagation();
      this.close();
    }
    return undefined;
  }

  choose(option) {
    this.#chosen = option;
    this.close();
    this.input.select();
    this.dispatchEvent(new CustomEvent("choose", { detail: { index: option.index, label: option.label } }));
  }

  close() {
    clearTimeout(this.#timer);
    this.#search.abort();
    this.list.hidden = true;
    this.#active = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.input.value = this.#chosen?.label ?? "";
    this.tell("");
  }
}
