// What the measured metrics say of a map, in brief: «3 against · 1 for». Never one number.

import { t } from "./texts.js";

/** @import { Finding, MeasurementBody } from "../api/types.js" */

/** @typedef {Record<string, MeasurementBody>} Measured by metric */

/** @typedef {{ level: Finding["level"] | "silent", text: string }} BriefPart */

const TOLD = /** @type {const} */ (["doubt", "support"]);

/**
 * How many findings there are of a level.
 * @param {MeasurementBody[]} measured
 * @param {Finding["level"]} level
 */
const count = (measured, level) => measured.flatMap(({ findings }) => findings).filter((finding) => finding.level === level).length;

/**
 * How many findings speak against a map and for it; nothing where nothing was measured.
 * @param {Measured | null | undefined} metrics
 * @returns {BriefPart[]}
 */
export function briefOf(metrics) {
  const done = Object.values(metrics ?? {}).filter(({ status }) => status === "done");
  if (!done.length) return [];
  const parts = TOLD.map((level) => ({ level, found: count(done, level) })).filter(({ found }) => found);
  if (!parts.length) return [{ level: "silent", text: t("trust.brief.silent") }];
  return parts.map(({ level, found }) => ({ level, text: t(`trust.brief.${level}`, { count: found }) }));
}

/**
 * The same as one text; empty where nothing was measured.
 * @param {Measured | null | undefined} metrics
 */
export const briefText = (metrics) => briefOf(metrics).map(({ text }) => text).join(" · ");

/**
 * The level of a measurement that matters most: what speaks against a map before what speaks for it; null where no
 * finding has one.
 * @param {MeasurementBody} measured
 * @returns {Finding["level"] | null}
 */
export function levelOf({ findings }) {
  const levels = findings.map(({ level }) => level);
  return (/** @type {const} */ (["doubt", "support", "note"])).find((level) => levels.includes(level)) ?? null;
}
