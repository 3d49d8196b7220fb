import * as api from "../api.js";
import { el } from "../dom.js";
import { askedModel } from "../models.js";
import { Combobox } from "./combobox.js";
import { t } from "../texts.js";

/** A combobox over a model's classes: {index, label}. */
export class ClassSearch extends Combobox {
  /** The neighbours of the class that stands there. */
  get resting() {
    return this.input.value.trim();
  }

  async find(query, signal) {
    const model = askedModel();
    return model ? api.classes(model, query, { signal }) : [];
  }

  keyOf({ index }) {
    return index;
  }

  textOf({ label }) {
    return label;
  }

  rowOf({ index, label }) {
    return [el("span", {}, label), el("span", { class: "muted" }, String(index))];
  }

  nothing(query) {
    return t("ask.none", { query });
  }
}
