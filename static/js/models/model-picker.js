import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { modelOf, sizeShown } from "../state/models.js";
import { store } from "../state/store.js";
import { Combobox } from "../widgets/combobox.js";
import { refreshModels } from "./model-list.js";

/** @import { ModelBody } from "../api/types.js" */

const STATES = ["ready", "downloadable", "missing"];

/**
 * What is searched in: title, id, architecture and source.
 * @param {ModelBody} model
 */
const searchText = ({ title, id, architecture, source }) => [title, id, architecture, source].join(" ").toLowerCase();

/** @param {ModelBody} model */
const accuracyOf = ({ accuracy }) => (accuracy === null ? "" : accuracy.toFixed(1));

/** A combobox over the models: those that are here first. */
export class ModelPicker extends Combobox {
  build() {
    super.build();
    this.input.addEventListener("focus", refreshModels);
  }

  head() {
    const columns = ["title", "input", "accuracy", "weights"].map((name) => el("span", {}, t(`model.${name}`)));
    return el("div", { class: "options-head", "aria-hidden": "true" }, ...columns);
  }

  /** @param {string} query */
  find(query) {
    const terms = query.toLowerCase().split(/\s+/);
    const models = (store.state.models?.models ?? []).filter((model) => terms.every((term) => searchText(model).includes(term)));
    return STATES.flatMap((state) => models.filter(({ availability }) => availability === state));
  }

  /** @param {ModelBody} model */
  headingOf({ availability }) {
    return t(`model.${availability}`);
  }

  /** @param {ModelBody} model */
  rowOf(model) {
    const { title, input_size: size } = model;
    return [
      el("span", {}, title, this.reasonOf(model)),
      el("span", { class: "muted" }, sizeShown(size)),
      el("span", { class: "muted" }, accuracyOf(model)),
      el("span", { class: "muted" }, this.stateOf(model)),
    ];
  }

  /** @param {ModelBody} model */
  stateOf({ availability, weights }) {
    if (availability === "downloadable" && weights.bytes) return format.bytes(weights.bytes);
    return t(`model.state.${availability}`);
  }

  /** @param {ModelBody} model */
  reasonOf({ availability, weights: { file } }) {
    return availability === "missing" ? el("span", { class: "option-reason small muted" }, t("model.missing.reason", { file })) : null;
  }

  /** @param {ModelBody} model */
  nameOf(model) {
    const { title, input_size: size, availability, weights: { file } } = model;
    const parts = [title, t("model.input.heard", { size: sizeShown(size) })];
    if (model.accuracy !== null) parts.push(t("model.accuracy.heard", { accuracy: accuracyOf(model) }));
    parts.push(availability === "missing" ? t("model.missing.reason", { file }) : t(`model.${availability}.heard`, { size: this.stateOf(model) }));
    return parts.join(", ");
  }

  /** Cards that cannot be used. */
  notes() {
    return (store.state.models?.faults ?? []).map(({ card, detail }) => (detail.startsWith(card) ? detail : `${card}: ${detail}`));
  }

  /** @param {string} query */
  notFoundText(query) {
    return t("model.none", { query });
  }

  /**
   * Shows the model with this id, under whatever name the list has for it.
   * @param {string | null | undefined} id
   */
  set value(id) {
    this.chosen = id ? (modelOf(id) ?? { id, title: id }) : null;
  }
}
