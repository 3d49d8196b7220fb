// What a metric shows if it has no figure of its own: its numbers. Also two helpers for metrics' figures.

import { el } from "../shared/dom.js";
import { textOr } from "../shared/texts.js";
import { facts, numberText } from "./metric-text.js";

/**
 * A paragraph of text.
 * @param {string} text
 */
export const paragraph = (text) => el("p", { class: "small" }, text);

/**
 * Why a metric has no result, in the server's words (English); null if it has one.
 * @param {Record<string, any>} figures
 */
export const reasonOf = ({ reason }) => (reason ? el("p", { class: "small", lang: "en" }, reason) : null);

/**
 * A list of a metric's plain values. Those that the page has no text for are called by their field names.
 * @param {any} measured
 */
export function numberFigure({ figures }) {
  const plain = Object.entries(figures).filter(([, value]) => typeof value !== "object" || value === null);
  return facts(plain.map(([name, value]) => [textOr(`value.${name}`, name.replaceAll("_", " ")), typeof value === "number" ? numberText(value) : String(value ?? "–")]));
}
