import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { methodTitle, summaryOf } from "../state/methods.js";
import { methodsOf } from "../state/rows.js";
import { store } from "../state/store.js";
import { Combobox } from "../widgets/combobox.js";

/** @import { MethodBody } from "../api/types.js" */

/** Families in the order of their headings. */
const FAMILIES = ["gradient", "path", "cam", "rule", "attention", "perturbation", "other"];

/** @param {string} text */
const folded = (text) => text.toLowerCase().replaceAll(/[\s\-_]+/g, "");

/** A combobox over the methods that are not in the grid yet, under the heading of their family: {id, year, family}. */
export class MethodSearch extends Combobox {
  /** Seconds that each method takes for one map, where they are known. @type {Map<string, number>} */
  seconds = new Map();

  /**
   * Every word of the query is in the method's name, id, family or summary, whatever the hyphens and spaces.
   * @param {string} query
   */
  find(query) {
    const words = query.split(/\s+/).map(folded);
    const there = methodsOf(store.state);
    return (store.state.methods ?? [])
      .filter(({ id }) => !there.includes(id))
      .filter((method) => words.every((word) => textsOf(method).some((text) => folded(text).includes(word))))
      .sort((one, other) => FAMILIES.indexOf(one.family) - FAMILIES.indexOf(other.family) || one.year - other.year);
  }

  /** @param {MethodBody} method */
  textOf({ id }) {
    return methodTitle(id);
  }

  /** @param {MethodBody} method */
  headingOf({ family }) {
    return t(`family.${family}`);
  }

  /** @param {MethodBody} method */
  rowOf({ id, year }) {
    const seconds = this.seconds.get(id);
    return [
      el("span", {}, methodTitle(id), " ", el("span", { class: "muted" }, String(year)), el("span", { class: "small muted method-summary" }, summaryOf(id))),
      el("span", { class: "muted" }, seconds === undefined ? "" : t("grid.add.seconds", { seconds: format.duration(seconds) })),
    ];
  }

  /**
   * The list is all that the popup around it is for: Escape closes both.
   * @param {KeyboardEvent} event
   */
  key(event) {
    return event.key === "Escape" ? undefined : super.key(event);
  }

  /** @param {string} query */
  notFoundText(query) {
    return t("grid.add.none", { query });
  }
}

/**
 * Where a query is looked for.
 * @param {MethodBody} method
 */
function textsOf({ id, title, family, summary, year }) {
  return [id, title, summary, methodTitle(id), summaryOf(id), t(`family.${family}`), String(year)];
}
