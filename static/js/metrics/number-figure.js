// A metric's figure where it brings none: its numbers. And what the figures of numbers share.

import { el } from "../shared/dom.js";
import { textOr } from "../shared/texts.js";
import { facts, score } from "./metric-text.js";

/** @param {string} text */
export const words = (text) => el("p", { class: "small" }, text);

/** @param {Record<string, any>} figures */
export const reasonOf = ({ reason }) => (reason ? el("p", { class: "small", lang: "en" }, reason) : null);

/**
 * Of a metric that this page does not know: its single numbers, by the names that they have.
 * @param {any} measured
 */
export function plainFigure({ figures }) {
  const single = Object.entries(figures).filter(([, value]) => typeof value !== "object" || value === null);
  return facts(single.map(([name, value]) => [textOr(`value.${name}`, name.replaceAll("_", " ")), typeof value === "number" ? score(value) : String(value ?? "–")]));
}
