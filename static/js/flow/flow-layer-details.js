// The details of the layer that is selected in the gradient flow.

import { contextOf, el } from "../shared/dom.js";
import { labAddress } from "../shared/lab-link.js";
import { t } from "../shared/texts.js";
import { depthSettings, poolingSettings, unitSettings } from "./lab-settings.js";
import { nameOf, shapeText, shareText, sizeText } from "./layer-text.js";

/** @import { FlowLayer } from "../api/types.js" */
/** @import { Origin } from "../shared/lab-link.js" */

/** @typedef {{ model: string, explanation: string, target: string }} Source of the layers: the row that they belong to */

/**
 * Draws rows of values in [0, 1] as grey pixels, one each.
 * @param {HTMLCanvasElement} canvas
 * @param {number[][]} rows
 */
const drawGrey = (canvas, rows) => {
  Object.assign(canvas, { width: rows[0].length, height: rows.length });
  const context = contextOf(canvas);
  const image = context.createImageData(canvas.width, canvas.height);
  rows.flat().forEach((share, index) => image.data.set([...Array(3).fill(255 * share), 255], 4 * index));
  context.putImageData(image, 0, 0);
};

/** One layer: name and kind, norm of its gradient, shares of dead and saturated outputs; for a pooling, which of its inputs received a gradient. */
export class FlowLayerDetails extends HTMLElement {
  /** @type {HTMLHeadingElement} */ name;
  /** @type {HTMLParagraphElement} */ kind;
  /** @type {HTMLDListElement} */ facts;
  /** @type {HTMLCanvasElement} */ canvas;
  /** @type {HTMLElement} */ caption;
  /** @type {HTMLElement} */ picture;
  /** @type {HTMLElement} */ links;

  connectedCallback() {
    if (this.name) return;
    this.name = el("h3", { class: "flow-name" });
    this.kind = el("p", { class: "small muted" });
    this.facts = el("dl", { class: "flow-facts" });
    this.canvas = el("canvas", { role: "img" });
    this.caption = el("figcaption", { class: "small muted" });
    this.picture = el("figure", { class: "flow-pooling" }, el("div", { class: "flow-cells" }, this.canvas), this.caption);
    this.links = el("p", { class: "small flow-lab" });
    this.append(el("div", { class: "flow-layer" }, this.name, this.kind, this.facts), this.picture, this.links);
  }

  /**
   * @param {FlowLayer[]} layers
   * @param {number} index - of the layer that is shown
   * @param {Source | null} source
   */
  show(layers, index, source) {
    const layer = layers[index];
    const { pooling } = layer;
    this.links.replaceChildren(...(source ? linksTo(layers, index, source) : []));
    this.name.textContent = nameOf(layer);
    this.kind.textContent = `${layer.kind} · ${shapeText(layer.shape)}`;
    /** @type {[string, string | null, number | null][]} */
    const facts = [
      ["flow.norm", sizeText(layer.norm), null],
      ["flow.rms", sizeText(layer.rms), null],
      ["flow.dead", layer.dead === null ? null : shareText(layer.dead), layer.dead_units],
      ["flow.saturated", layer.saturated === null ? null : shareText(layer.saturated), null],
    ];
    this.facts.replaceChildren(...facts.filter(([, value]) => value !== null).map(([key, value, units]) => el("div", {},
      el("dt", {}, t(key)), el("dd", {}, value,
        units ? el("span", { class: "muted" }, ` · ${t("flow.units.of", { share: shareText(units) })}`) : null))));
    this.picture.hidden = !pooling;
    if (!pooling) return;
    this.caption.textContent = t(`flow.pooling.${pooling.how}`, { share: shareText(pooling.received) });
    if (this.canvas.parentElement) this.canvas.parentElement.hidden = !pooling.map;
    if (!pooling.map) return;
    this.canvas.setAttribute("aria-label", this.caption.textContent);
    drawGrey(this.canvas, pooling.map);
  }
}

/**
 * Links to the experiments of the lab that a layer can be set in, in a new tab.
 * @param {FlowLayer[]} layers
 * @param {number} index
 * @param {Source} source
 */
function linksTo(layers, index, source) {
  const layer = layers[index];
  if (!index) return [];
  /** @type {(id: string, parameters: Record<string, unknown>, kind: Origin["kind"], said?: string) => Node} */
  const link = (id, parameters, kind, said = "") => el("a", {
    href: labAddress(id, parameters, { kind, place: nameOf(layer), said, changed: false, ...source }), target: "_blank", rel: "noopener",
  }, t(`flow.lab.${id}`));
  const { parameters, near } = depthSettings(layers, index);
  const unit = unitSettings(layer);
  const pool = poolingSettings(layer);
  const share = layer.saturated ?? layer.dead;
  const all = [
    ...(pool ? [link("pooling", pool, "pooling")] : []), link("depth", parameters, "layer", near.join(" ")),
    ...(unit ? [link("saturation", unit, "activation", share === null ? "" : shareText(share))] : []),
  ];
  return [t("flow.lab"), ...all.flatMap((each, place) => [place ? " · " : " ", each])];
}
