import { addMapFrom } from "../controller/controller.js";
import { secondsOfMethods } from "../controller/method-cost.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { askedModel } from "../state/models.js";
import { methodsOf } from "../state/rows.js";
import { store } from "../state/store.js";
import { Popup } from "../widgets/popup.js";

/** @import { MethodSearch } from "./method-search.js" */

/**
 * A searchable list of the methods that are not in the grid yet, by family, with what a map of each takes; and a field for
 * a map that was made elsewhere.
 */
export class AddMethod extends Popup {
  /** @type {MethodSearch} */ search;
  /** Called with the method that was chosen. @type {(id: string) => void} */ chosen = () => {};

  /** Seconds by method; of one model. @type {{ model: string | null, seconds: Map<string, number> }} */
  #known = { model: null, seconds: new Map() };
  #asking = new AbortController();

  content() {
    const model = askedModel() ?? null;
    if (this.#known.model !== model) this.#known = { model, seconds: new Map() };
    this.search = el("method-search", { label: t("grid.add"), placeholder: t("grid.add.search"), class: "field", dropdown: true });
    this.search.seconds = this.#known.seconds;
    this.search.addEventListener("choose", ({ detail: { id } }) => this.closeAndRun(() => this.chosen(id)));
    const file = el("input", { type: "file", accept: ".npy", onchange: () => this.upload(file) });
    // A browser's own button would speak the browser's language, not the page's.
    const choose = el("span", { class: "button own-file" }, el("span", { "aria-hidden": "true" }, t("grid.add.choose")), file);
    const own = el("label", { class: "field own-map" }, el("span", { class: "field-label" }, t("grid.add.map")), choose, el("span", { class: "small muted" }, t("grid.add.map.help")));
    // A map of one's own goes to an explanation that is there.
    return store.state.phase === "done" ? [this.search, own] : [this.search];
  }

  opened() {
    if (!this.contains(document.activeElement)) this.search.input.focus();
    this.search.search();
    this.askSeconds();
  }

  /** @param {HTMLInputElement} input */
  upload({ files }) {
    const [file] = files ?? [];
    if (file) this.closeAndRun(() => addMapFrom(file));
  }

  /** The list is shown at once, and again with the seconds where they come before anything was typed or chosen. */
  async askSeconds() {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const { model, seconds } = this.#known;
    const there = methodsOf(store.state);
    const unknown = (store.state.methods ?? []).map(({ id }) => id).filter((id) => !there.includes(id) && !seconds.has(id));
    if (!model || !unknown.length) return;
    try {
      for (const [id, each] of await secondsOfMethods(model, unknown, signal)) seconds.set(id, each);
    } catch {
      return; // the list does without
    }
    if (!signal.aborted && this.matches(":popover-open") && this.search.opened) this.search.search();
  }
}
