// What measuring would cost, before it is spent.

import * as api from "../api/client.js";
import { store } from "../state/store.js";

/**
 * @import { Fields } from "../api/client.js"
 * @import { MetricEstimate } from "../api/types.js"
 * @import { Panel } from "../state/types.js"
 */

/**
 * {forwards, gradients, seconds} of a metric of a panel with these values.
 * @param {Panel} panel
 * @param {string} metric
 * @param {Record<string, any>} values
 * @param {AbortSignal} signal
 */
export async function costOf({ model, method, record }, metric, values, signal) {
  const { size } = store.state.ask;
  const options = { [method]: record?.parameters ?? {}, [metric]: values };
  /** @type {Fields} */
  const fields = [["model", model], ["method", method], ["metrics", metric], ["options", JSON.stringify(options)]];
  if (size) fields.push(["size", size]);
  const [{ metrics = [] }] = await api.estimates(fields, { signal });
  return metrics[0] ?? null; // none where the method is refused
}

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
