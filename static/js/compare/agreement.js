// How far two maps agree, in one sentence and as numbers.

import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";

/**
 * @import { compare } from "../arrays/comparison.js"
 * @import { Settings } from "../rendering/types.js"
 */

/**
 * Of the numbers, `signed` and `magnitudes` are rank correlations; `share` and `union` compare the strongest tenths of both
 * maps: overlap, and intersection over union. Null where there is nothing to compare.
 * @typedef {ReturnType<typeof compare>} Comparison
 */

// From which rank correlation on two maps count as that much alike.
/** @type {[number, string][]} */
const LEVELS = [[0.8, "same"], [0.5, "alike"], [0.2, "partly"], [-0.2, "none"], [-1, "opposite"]];

/** @param {number | null} value */
const number = (value) => (value === null ? "–" : format.correlation(value));
/** @param {number | null} value */
const portion = (value) => (value === null ? "–" : format.percent(value));

/**
 * @param {Comparison} result
 * @param {Pick<Settings, "reduction">} rendering
 */
export function sentence({ signed, magnitudes, share }, { reduction }) {
  const value = reduction === "sum" ? signed : magnitudes;
  if (value === null) return t("compare.says.constant");
  const [, level] = LEVELS.find(([from]) => value >= from) ?? LEVELS[LEVELS.length - 1];
  return t(`compare.says.${level}`, { value: number(value), share: portion(share) });
}

/**
 * The numbers as entries of a list.
 * @param {Comparison} result
 * @param {Pick<Settings, "reduction">} rendering
 */
export function numberNodes({ signed, magnitudes, union, share }, { reduction }) {
  const entries = [
    ...(reduction === "sum" ? [[t("compare.signed"), number(signed)]] : []),
    [t("compare.magnitudes"), number(magnitudes)],
    [t("compare.share"), portion(share)],
    [t("compare.union"), portion(union)],
  ];
  return entries.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
}
