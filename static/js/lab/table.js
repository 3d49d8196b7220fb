// A table of numbers and words.

import { el } from "../shared/dom.js";
import { labelText, valueText } from "./words.js";

/** @import { TableData } from "./types.js" */

/** @param {TableData} data */
export function tableOf({ columns, rows }) {
  const numeric = columns.map((_, index) => rows.every((row) => typeof row[index] !== "string"));
  return el("div", {}, el("table", { class: "lab-table" },
    el("thead", {}, el("tr", {}, ...columns.map((column, index) => el("th", { scope: "col", class: numeric[index] ? "is-number" : null }, labelText(column))))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((value, index) => (
      index ? el("td", { class: numeric[index] ? "is-number" : null }, cellText(value)) : el("th", { scope: "row" }, cellText(value)))))))));
}

/** @param {string | number | null} value */
const cellText = (value) => (typeof value === "string" ? labelText(value) : valueText(value));
