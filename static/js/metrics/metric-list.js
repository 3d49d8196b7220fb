// What can be measured of a map: the server's list, in the order in which it is shown, and the words for it.

import * as api from "../api/client.js";
import { declared } from "../parameters/parameters.js";
import { textOr } from "../shared/texts.js";
import { METRICS } from "../state/plugins.js";
import { drawnRegion } from "./drawn-region.js";

/** @import { MeasurementBody, MetricBody } from "../api/types.js" */

const ORDER = METRICS.map(({ id }) => id);

/** @type {MetricBody[]} */
let listed = [];

/** @param {MetricBody} metric */
const positionOf = ({ id }) => (ORDER.includes(id) ? ORDER.indexOf(id) : ORDER.length);

export async function loadMetrics() {
  if (!listed.length) listed = (await api.metrics()).sort((a, b) => positionOf(a) - positionOf(b));
}

export const metrics = () => listed;

/** @param {string} id */
export const metricOf = (id) => listed.find((metric) => metric.id === id);

/** @param {string} id */
export const metricTitle = (id) => textOr(`trust.metric.${id}`, metricOf(id)?.title ?? id);

/** @param {string} id */
export const metricSummary = (id) => textOr(`trust.summary.${id}`, metricOf(id)?.summary ?? "");

/**
 * What can be set of a metric, as parameters.js has it.
 * @param {string} id
 */
export function settingsOf(id) {
  /** @type {(name: string, fallback?: string) => string} */
  const titleOf = (name, fallback) => textOr(`trust.setting.${id}.${name}.title`, textOr(`trust.setting.${name}`, fallback ?? name));
  /** @type {(name: string, fallback: string) => string} */
  const helpOf = (name, fallback) => textOr(`trust.setting.${id}.${name}`, fallback);
  return declared(metricOf(id)?.parameters, titleOf, helpOf).map((parameter) => ({ ...parameter, key: `${id}-${parameter.name}` }));
}

/**
 * Whether a metric is about a region, and none is drawn on this map.
 * @param {string} id
 * @param {string} panel - its id
 */
export function lacksRegion(id, panel) {
  const names = settingsOf(id).map(({ name }) => name);
  return names.includes("box") && names.includes("mask") && !drawnRegion(panel);
}

/**
 * The values that a metric is measured with unless told otherwise: the box or mask that is drawn, those of the last time,
 * the defaults.
 * @param {string} id
 * @param {MeasurementBody | null} measured
 * @param {string} panel - its id
 * @returns {Record<string, any>}
 */
export function settingValues(id, measured, panel) {
  const values = Object.fromEntries(settingsOf(id).map(({ name, initial }) => [name, measured?.parameters?.[name] ?? initial]));
  const region = "box" in values && "mask" in values ? drawnRegion(panel) : null;
  return { ...values, ...region };
}
