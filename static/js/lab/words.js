// The words of the experiment of this page: those of its folder, else what the server calls a thing.

import { number, trimmed } from "../shared/format.js";
import { filled, t, textOr } from "../shared/texts.js";

/** @import { Axis, FindingBody, Grid, GridStep, Series } from "./types.js" */

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

/** @param {Grid} grid */
export const gridTitle = ({ id, title }) => textOr(`lab.${page()}.grid.${id}`, title || id);

/** @param {{ id: string, title?: string }} group */
export const groupTitle = ({ id, title }) => textOr(`lab.${page()}.group.${id}`, title || id);

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
 * A factor that four digits would make 1, and six do not.
 * @param {number} value
 */
const nearOne = (value) => Number(Math.abs(value).toPrecision(4)) === 1 && Number(Math.abs(value).toPrecision(6)) !== 1;

/**
 * Four digits, without zeros at the end; a power of ten by itself.
 * @param {number} value
 */
const short = (value) => trimmed(number(value, nearOne(value) ? 6 : 4)).replace(/^(−?)1×/, "$1");

/** @param {unknown} value */
export const valueText = (value) => (typeof value === "number" ? short(value) : value === null || value === undefined ? "–" : String(value));

/**
 * The sentence of a finding, with its numbers; the server's own English where the page has no words for it.
 * @param {FindingBody} finding
 * @returns {{ text: string, language: string | null }}
 */
export function findingText({ id, verdict, text = "", numbers = {} }) {
  const sentence = sentenceOf(`finding.${id}.${verdict}`, numbers);
  return sentence === null ? { text, language: "en" } : { text: sentence, language: null };
}

/**
 * What happens at a step.
 * @param {GridStep} step
 */
export const stepText = ({ id, text = "", numbers = {} }) => sentenceOf(`step.${id}`, numbers) ?? text;

/**
 * A value in a sentence. Where its name ends in `_series` it holds ids of series, by commas, and their titles are said.
 * @param {string} name
 * @param {any} value
 */
const named = (name, value) => (name.endsWith("_series") ? String(value).split(", ").map((id) => textOr(`lab.${page()}.series.${id}`, id)).join(t("lab.page.comma")) : valueText(value));

/**
 * A sentence of the experiment with its numbers; null where it has none, or one of its numbers is missing.
 * @param {string} key
 * @param {Record<string, any>} numbers
 */
function sentenceOf(key, numbers) {
  const sentence = textOr(`lab.${page()}.${key}`, null);
  const names = [...(sentence ?? "").matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  if (sentence === null || names.some((name) => numbers[name] === undefined)) return null;
  return filled(sentence, Object.fromEntries(names.map((name) => [name, named(name, numbers[name])])));
}
