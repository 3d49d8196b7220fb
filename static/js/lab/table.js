// A table of numbers and words.

import { el } from "../shared/dom.js";
import { labelText, valueText } from "./words.js";

/** @import { TableData } from "./types.js" */

/**
 * Its head and its rows as words.
 * @param {TableData} data
 */
export function tableTexts({ columns, rows }) {
  const texts = columns.map((_, index) => aligned(rows.map((row) => row[index])));
  return [columns.map(labelText), ...rows.map((_, place) => texts.map((column) => column[place]))];
}

/** @param {TableData} data */
export function tableOf({ columns, rows }) {
  const numeric = columns.map((_, index) => rows.every((row) => typeof row[index] !== "string"));
  const [, ...texts] = tableTexts({ columns, rows });
  return el("div", {}, el("table", { class: "lab-table" },
    el("thead", {}, el("tr", {}, ...columns.map((column, index) => el("th", { scope: "col", class: numeric[index] ? "is-number" : null }, labelText(column))))),
    el("tbody", {}, ...rows.map((row, place) => el("tr", {}, ...row.map((_, index) => (
      index ? el("td", { class: numeric[index] ? "is-number" : null }, texts[place][index]) : el("th", { scope: "row" }, texts[place][index]))))))));
}

/**
 * The numbers of a column, with as many decimals in each where they are of one size.
 * @param {(string | number | null)[]} values
 */
function aligned(values) {
  const texts = values.map(cellText);
  const decimals = texts.map((text) => text.split(".")[1]?.length ?? 0).filter(Boolean);
  const digits = Math.max(0, ...decimals);
  if (!digits || digits - Math.min(...decimals) > 1 || texts.some((text) => /10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]/.test(text))) return texts;
  return values.map((value, place) => (typeof value === "number" ? value.toFixed(digits).replace("-", "−") : texts[place]));
}

/** @param {string | number | null} value */
const cellText = (value) => (typeof value === "string" ? labelText(value) : valueText(value));
