// The words of the experiment of this page: those of its folder, else what the server calls a thing.

import { number } from "../shared/format.js";
import { filled, textOr } from "../shared/texts.js";

/** @import { Axis, FindingBody, Series } from "./types.js" */

const page = () => document.querySelector("main")?.dataset.experiment ?? "";

/** @param {Axis} axis */
export const axisTitle = ({ id, title }) => textOr(`lab.${page()}.axis.${id}`, title || id);

/** @param {Series} series */
export const seriesTitle = ({ id, title }) => textOr(`lab.${page()}.series.${id}`, title || id);

/**
 * @param {string} id
 * @param {string} title
 */
export const figureTitle = (id, title) => textOr(`lab.${page()}.figure.${id}`, title || id);

/** @param {string} name */
export const parameterTitle = (name) => textOr(`lab.${page()}.parameter.${name}`, name);

/** @param {string} name */
export const numberTitle = (name) => textOr(`lab.${page()}.number.${name}`, name);

/**
 * What stands at the head of a column, a row or a bar: a word of the experiment, or itself.
 * @param {string} label
 */
export const labelText = (label) => textOr(`lab.${page()}.column.${label}`, textOr(`lab.${page()}.series.${label}`, textOr(`lab.${page()}.number.${label}`, label)));

/**
 * What is often said; null where the finding answers no claim.
 * @param {string} id
 */
export const claimText = (id) => textOr(`lab.${page()}.claim.${id}`, null);

/**
 * Four digits, without zeros at the end.
 * @param {number} value
 */
const short = (value) => number(value, 4).replace(/(\.\d*?)0+(?=$|×)/, "$1").replace(/\.(?=$|×)/, "");

/** @param {unknown} value */
export const valueText = (value) => (typeof value === "number" ? short(value) : value === null || value === undefined ? "–" : String(value));

/**
 * The sentence of a finding, with its numbers; the server's own English where the page has no words for it.
 * @param {FindingBody} finding
 * @returns {{ text: string, language: string | null }}
 */
export function findingText({ id, verdict, text = "", numbers = {} }) {
  const sentence = textOr(`lab.${page()}.finding.${id}.${verdict}`, null);
  const names = [...(sentence ?? "").matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  if (sentence === null || names.some((name) => numbers[name] === undefined)) return { text, language: "en" };
  return { text: filled(sentence, Object.fromEntries(names.map((name) => [name, valueText(numbers[name])]))), language: null };
}
