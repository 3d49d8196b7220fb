// What maps of methods that were not asked for yet would take.

import * as api from "../api/client.js";

/**
 * Seconds for one map of each of these methods on a model, with its default parameters; without those that are not known.
 * @param {string} model
 * @param {string[]} methods
 * @param {AbortSignal} signal
 * @returns {Promise<[string, number][]>}
 */
export async function secondsOfMethods(model, methods, signal) {
  /** @type {api.Fields} */
  const fields = [["model", model], ...methods.map((method) => /** @type {[string, string]} */ (["method", method]))];
  const found = await api.estimates(fields, { signal });
  return found.flatMap(({ method, seconds }) => (seconds === null ? [] : [/** @type {[string, number]} */ ([method, seconds])]));
}
