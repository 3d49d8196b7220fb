// A finding of the server, in the page's words.

import { el } from "./dom.js";
import * as format from "./format.js";
import { filled, textOr } from "./texts.js";

/** @import { Finding } from "../api/types.js" */

/**
 * A value of a finding, which the server has rounded: no digits are added.
 * @param {any} value
 */
function valueOf(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (!Number.isInteger(value) && (size < 1e-3 || size >= 1e4)) return format.number(value);
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(3))).replace("-", "−");
}

/**
 * A finding in the page's words; in the server's English where the page has none for it.
 * @param {Pick<Finding, "code" | "detail" | "values">} finding
 */
export function findingNode({ code, detail, values = {} }) {
  const known = textOr(`trust.finding.${code}`, null);
  const names = [...(known ?? "").matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  if (known === null || names.some((name) => values[name] === undefined || values[name] === null)) return el("span", { lang: "en" }, detail);
  const shown = Object.fromEntries(names.map((name) => [name, valueOf(values[name])]));
  return el("span", {}, filled(known, shown));
}
