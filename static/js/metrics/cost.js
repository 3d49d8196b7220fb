// What measuring would cost, before it is spent.

import * as api from "../api/client.js";
import { store } from "../state/store.js";

/** {forwards, gradients, seconds} of a metric of a panel with these values. */
export async function priceOf({ model, method, record }, metric, values, signal) {
  const { size } = store.state.ask;
  const options = { [method]: record.parameters, [metric]: values };
  const fields = [["model", model], ["method", method], ["metrics", metric], ["options", JSON.stringify(options)]];
  if (size) fields.push(["size", size]);
  const [{ metrics: [price] }] = await api.estimates(fields, { signal });
  return price ?? null; // none where the method is refused
}

/** The price of several metrics at once; seconds is null where one of them is not known. */
export function sum(prices) {
  const all = (key) => prices.reduce((total, price) => total + price[key], 0);
  const seconds = prices.some((price) => price.seconds === null) ? null : all("seconds");
  return { forwards: all("forwards"), gradients: all("gradients"), seconds };
}
