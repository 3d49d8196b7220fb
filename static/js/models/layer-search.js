import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { modelOf } from "../state/models.js";
import { Combobox } from "../widgets/combobox.js";
import { refreshModels } from "./model-list.js";

/** @import { LayerBody } from "../api/types.js" */

/** @typedef {{ name: string, shape?: number[], standsFor?: LayerBody }} Choice "auto" stands for the model's default layer. */

const AUTO = "auto";

/** A combobox over the layers that a class activation map can be taken of. */
export class LayerSearch extends Combobox {
  /** @type {string | null} */ model;

  /**
   * The model whose layers are offered, and the layer that the map was made of.
   * @param {string | null} model
   * @param {string | null | undefined} layer
   */
  setModel(model, layer) {
    this.model = model;
    this.chosen = layer ? { name: layer } : null;
  }

  /**
   * A model tells its layers once it was loaded: where it has not told them yet, the list is asked for again.
   * @param {string} query
   */
  async find(query) {
    if (!modelOf(this.model)?.layers) await refreshModels();
    const layers = modelOf(this.model)?.layers;
    if (!layers?.length) return [];
    const standsFor = layers.find((layer) => layer.default);
    // From the last one back: deep layers are asked for more often.
    const all = [{ name: AUTO, standsFor }, ...layers.toReversed()];
    return all.filter(({ name }) => name.toLowerCase().includes(query.toLowerCase()));
  }

  /** @param {Choice} layer */
  keyOf({ name }) {
    return name;
  }

  /** @param {Choice} layer */
  textOf({ name }) {
    return name;
  }

  /** @param {Choice} layer */
  rowOf({ name, shape, standsFor }) {
    const text = standsFor ? t("layer.auto", { layer: standsFor.name }) : name;
    return [el("span", {}, text), el("span", { class: "muted" }, shape ? shape.join("×") : "")];
  }

  /** @param {string} query */
  notFoundText(query) {
    const layers = modelOf(this.model)?.layers;
    if (!layers) return t("layer.unknown");
    return t(layers.length ? "layer.none" : "layer.absent", { query });
  }
}
