// The settings of an experiment in its address: ?length=50&seed=1; what is at its default is left out. Pure functions.

import { written } from "../shared/lab-link.js";

/** @import { Declared } from "./types.js" */

/** @typedef {Record<string, any>} Values */

/**
 * @param {unknown} one
 * @param {unknown} other
 */
export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/**
 * Whether a value is rows of numbers of equal length, or nothing at all.
 * @param {unknown} value
 * @returns {value is number[][]}
 */
export const isGrid = (value) => Array.isArray(value) && value.every((row) => Array.isArray(row) && row.length > 0 && row.length === value[0].length && row.every(Number.isFinite));

/**
 * @param {Declared} declared
 * @param {string} text
 */
function valueOf(declared, text) {
  const { kind, choices, optional, other, initial } = declared;
  if (optional && text === "off") return null;
  if (kind === "text") return text;
  if (kind === "choice" && choices.some((choice) => String(choice) === text)) return choices.find((choice) => String(choice) === text);
  if (kind === "choice" && !other) return initial;
  try {
    const value = JSON.parse(text);
    return kind === "grid" && !(isGrid(value) && (value.length || declared.follows?.length)) ? initial : value;
  } catch {
    return initial; // a link that was cut off
  }
}

/**
 * The settings that a query says, defaults for the others.
 * @param {string} query
 * @param {Declared[]} declared
 * @returns {{ values: Values, seed: number }}
 */
export function readAddress(query, declared) {
  const found = new URLSearchParams(query);
  const values = Object.fromEntries(declared.map((each) => {
    const text = found.get(each.name);
    return [each.name, text === null ? each.initial : valueOf(each, text)];
  }));
  const seed = Number(found.get("seed") ?? 0);
  return { values, seed: Number.isSafeInteger(seed) && seed >= 0 ? seed : 0 };
}

/**
 * The query of these settings; what else a query says, such as the language, stays.
 * @param {string} query
 * @param {Declared[]} declared
 * @param {{ values: Values, seed: number }} settings
 */
export function writeAddress(query, declared, { values, seed }) {
  const next = new URLSearchParams(query);
  for (const { name, initial } of declared) {
    if (same(values[name], initial)) next.delete(name);
    else next.set(name, written(values[name]));
  }
  if (seed) next.set("seed", String(seed));
  else next.delete("seed");
  const text = next.toString();
  return text ? `?${text}` : "";
}
