// Maps that were made while measuring: each is fetched once, and goes when its measurement does.

import * as api from "../api/client.js";
import { decodeNpy } from "../arrays/worker-client.js";

/** @import { RawArray } from "../rendering/types.js" */

/** @type {WeakMap<object, Map<string, Promise<RawArray>>>} */
const arrays = new WeakMap(); // a measurement's maps -> Map of name to a promise of the array

/** @param {string} url */
async function fetchArray(url) {
  // The same address has other values once the metric was measured with other parameters.
  const { buffer, scale } = await api.rawArray(url, { cache: "no-store" });
  return decodeNpy(buffer, scale);
}

/**
 * A promise of {shape, values}.
 * @param {{ maps: Record<string, string> }} measured
 * @param {string} name
 */
export function arrayOf({ maps }, name) {
  const known = arrays.get(maps) ?? new Map();
  arrays.set(maps, known);
  const coming = known.get(name) ?? fetchArray(maps[name]);
  if (!known.has(name)) {
    known.set(name, coming);
    coming.catch(() => known.delete(name));
  }
  return coming;
}

/**
 * Calls `run` once, when the node first comes near the window.
 * @param {Element} node
 * @param {() => void} run
 */
export function whenNear(node, run) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    observer.disconnect();
    run();
  }, { rootMargin: "400px" });
  observer.observe(node);
}
