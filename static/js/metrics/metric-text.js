// What was measured and what it costs, in words.

import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";

/** @import { MeasurementBody } from "../api/types.js" */

/** @param {any} value */
export const similarity = (value) => (Number.isFinite(value) ? format.correlation(value) : "–");

/** @param {any} value */
export const numberText = (value) => (Number.isFinite(value) ? format.number(value) : "–");

/**
 * @param {string} key
 * @param {number | undefined} count
 */
const counted = (key, count) => (count ? t(count === 1 ? `trust.${key}.one` : `trust.${key}`, { count }) : null);

/**
 * Evaluations and seconds; without any of the former it costs nothing.
 * @param {{ forwards: number, gradients: number, seconds: number | null }} cost
 */
export function costText({ forwards, gradients, seconds }) {
  if (!forwards && !gradients) return t("trust.free");
  const time = seconds !== null && Number.isFinite(seconds) ? t("trust.about", { seconds: format.duration(seconds) }) : t("trust.about.unknown");
  return [counted("forwards", forwards), counted("gradients", gradients), time].filter(Boolean).join(" · ");
}

/**
 * What a measurement has cost.
 * @param {MeasurementBody} measured
 */
export function spentText({ cost, seconds, from_store: known }) {
  if (!cost?.forwards && !cost?.gradients) return t("trust.free");
  const parts = [counted("forwards", cost?.forwards), counted("gradients", cost?.gradients)];
  return [...parts, t(known ? "trust.took.before" : "trust.took", { seconds: format.duration(seconds) })].filter(Boolean).join(" · ");
}

/**
 * Names with their values, as a list of definitions.
 * @param {[string, string][]} entries
 */
export function facts(entries) {
  return el("dl", { class: "trust-facts" }, ...entries.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

const NICE = [1, 2, 2.5, 5, 10];

/**
 * Round values at equal distances; the first is at most `low`, the last at least `high`.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function ticksBetween(low, high, count = 4) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = power * (NICE.find((nice) => nice * power * count >= span * 0.999) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(6)));
}
