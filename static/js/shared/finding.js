// Shows a finding of the server (a sentence about a metric's figures) in the page's language.

import { el } from "./dom.js";
import * as format from "./format.js";
import { filled, textOr } from "./texts.js";

/** @import { Finding } from "../api/types.js" */

/**
 * The text of a finding's value. The server has rounded it already, so no digits are added.
 * @param {any} value
 */
function valueText(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (!Number.isInteger(value) && (size < 1e-3 || size >= 1e4)) return format.number(value);
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(3))).replace("-", "−");
}

/**
 * A finding, or a note, in the page's language; the server's English sentence if the page has no text for its code, or a number
 * for that text is missing.
 * @param {Pick<Finding, "code" | "detail"> & { values?: Record<string, any> }} finding
 * @param {string} kind - how the keys of its texts begin
 */
export function findingNode({ code, detail, values = {} }, kind = "trust.finding") {
  const sentence = textOr(`${kind}.${code}`, null);
  const names = [...(sentence ?? "").matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  if (sentence === null || names.some((name) => values[name] === undefined || values[name] === null)) return el("span", { lang: "en" }, detail);
  const shown = Object.fromEntries(names.map((name) => [name, valueText(values[name])]));
  return el("span", {}, filled(sentence, shown).replaceAll(" %", "\u00a0%"));
}
