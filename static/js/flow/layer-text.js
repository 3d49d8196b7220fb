// A layer in words.

import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";

export const shapeText = (shape) => shape.join(" × ");

export const sizeText = (value) => (value === null ? t("flow.notFinite") : format.number(value));

export const shareText = (share) => (share === null || share === undefined ? "–" : format.percent(share));

export const nameOf = ({ name, call, kind }) => {
  const own = kind === "Input" ? t("flow.picture") : name;
  return call > 1 ? t("flow.call", { name: own, call }) : own;
};

/** A layer in one sentence, for a screen reader. */
export function sentenceOf(layer) {
  const shares = [
    layer.dead === null ? null : `${t("flow.dead")} ${shareText(layer.dead)}`,
    layer.saturated === null ? null : `${t("flow.saturated")} ${shareText(layer.saturated)}`,
    layer.pooling ? `${t("flow.received")} ${shareText(layer.pooling.received)}` : null,
  ];
  return [nameOf(layer), layer.kind, `${t("flow.norm")} ${sizeText(layer.norm)}`, ...shares].filter(Boolean).join(", ");
}
