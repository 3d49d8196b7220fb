import * as api from "../api/client.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { askedModel, className } from "../state/models.js";
import { Combobox } from "../widgets/combobox.js";

/** @import { ClassBody, FoundClass } from "../api/types.js" */

/** A combobox over a model's classes: {index, label}. */
export class ClassSearch extends Combobox {
  /** Whose classes; null: the model that is asked. @type {string | null} */ model = null;

  /** The text of the field, so that the list shows classes with labels like the chosen one. */
  get initialQuery() {
    return this.input.value.trim();
  }

  /**
   * @param {string} query
   * @param {AbortSignal} signal
   */
  async find(query, signal) {
    const model = this.model ?? askedModel();
    return model ? api.classes(model, query, { signal }) : [];
  }

  /** @param {ClassBody} option */
  keyOf({ index }) {
    return index;
  }

  /** @param {ClassBody} option */
  textOf(option) {
    return className(option);
  }

  /** @param {FoundClass} option */
  rowOf({ index, label, name }) {
    const names = name ? [name, " ", el("span", { class: "muted", lang: "en" }, label)] : [label];
    return [el("span", {}, ...names), el("span", { class: "muted" }, String(index))];
  }

  /** @param {string} query */
  notFoundText(query) {
    return t("ask.none", { query });
  }
}
