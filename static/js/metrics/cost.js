// What measuring would cost, before it is spent.

import * as api from "../api/client.js";
import { store } from "../state/store.js";

/**
 * @import { Fields } from "../api/client.js"
 * @import { MetricEstimate } from "../api/types.js"
 * @import { Panel } from "../state/types.js"
 * @import { Asked } from "./measurements.js"
 */

/**
 * What these metrics of each panel would cost, by method. Without `timed` the server times no passes: seconds that it does
 * not know are null.
 * @param {Panel[]} panels - of one model
 * @param {Asked[]} asked
 * @param {{ timed?: boolean, signal: AbortSignal }} how
 * @returns {Promise<Map<string, MetricEstimate[]>>}
 */
export async function costsOf(panels, asked, { timed = true, signal }) {
  const [{ model }] = panels;
  const methods = new Map(panels.map(({ method, record }) => [method, record?.parameters ?? {}]));
  const options = { ...Object.fromEntries(methods), ...Object.fromEntries(asked.map(({ metric, values }) => [metric, values])) };
  /** @type {Fields} */
  const fields = [["model", model], ["options", JSON.stringify(options)]];
  for (const method of methods.keys()) fields.push(["method", method]);
  for (const { metric } of asked) fields.push(["metrics", metric]);
  if (store.state.ask.size) fields.push(["size", store.state.ask.size]);
  if (!timed) fields.push(["timed", "false"]);
  const found = await api.estimates(fields, { signal });
  return new Map(found.map(({ method, metrics = [] }) => [method, metrics]));
}

/**
 * {forwards, gradients, seconds} of a metric of a panel with these values; null where the method is refused.
 * @param {Panel} panel
 * @param {string} metric
 * @param {Record<string, any>} values
 * @param {AbortSignal} signal
 */
export async function costOf(panel, metric, values, signal) {
  const found = await costsOf([panel], [{ metric, values }], { signal });
  return found.get(panel.method)?.[0] ?? null;
}

const BACKWARD = 2; // how many forward passes take as long as one backward pass

/**
 * A cost without seconds, to compare: in forward passes.
 * @param {Pick<MetricEstimate, "forwards" | "gradients">} price
 */
export const weightOf = ({ forwards, gradients }) => forwards + (1 + BACKWARD) * gradients;

/**
 * The price of several metrics at once; seconds is null where one of them is not known.
 * @param {MetricEstimate[]} prices
 */
export function sumCosts(prices) {
  let [forwards, gradients] = [0, 0];
  /** @type {number | null} */
  let seconds = 0;
  for (const price of prices) {
    forwards += price.forwards;
    gradients += price.gradients;
    seconds = seconds === null || price.seconds === null ? null : seconds + price.seconds;
  }
  return { forwards, gradients, seconds };
}
