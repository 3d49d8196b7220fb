// A layer of the gradient flow as text: name, shape, numbers.

import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";

/** @import { FlowLayer } from "../api/types.js" */

/** @param {number[]} shape */
export const shapeText = (shape) => shape.join(" × ");

/**
 * A norm; null means that it is not finite.
 * @param {number | null} value
 */
export const sizeText = (value) => (value === null ? t("flow.notFinite") : format.number(value));

/** @param {number | null | undefined} share */
export const shareText = (share) => (share === null || share === undefined ? "–" : format.percent(share));

/**
 * A layer's name; with the number of the call if the module was called before.
 * @param {FlowLayer} layer
 */
export const nameOf = ({ name, call, kind }) => {
  const base = kind === "Input" ? t("flow.picture") : name;
  return call > 1 ? t("flow.call", { name: base, call }) : base;
};

/**
 * A layer in one sentence, for a screen reader.
 * @param {FlowLayer} layer
 */
export function sentenceOf(layer) {
  const shares = [
    layer.dead === null ? null : `${t("flow.dead")} ${shareText(layer.dead)}`,
    layer.saturated === null ? null : `${t("flow.saturated")} ${shareText(layer.saturated)}`,
    layer.pooling ? `${t("flow.received")} ${shareText(layer.pooling.received)}` : null,
  ];
  return [nameOf(layer), layer.kind, `${t("flow.norm")} ${sizeText(layer.norm)}`, ...shares].filter(Boolean).join(", ");
}
