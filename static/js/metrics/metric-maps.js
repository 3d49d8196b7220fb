// Maps that were made while measuring: each is fetched once, and goes when its measurement does.

import * as api from "../api/client.js";
import { decodeNpy } from "../arrays/worker-client.js";

const arrays = new WeakMap(); // a measurement's maps -> Map of name to a promise of the array

async function fetchArray(url) {
  // The same address has other values once the metric was measured with other parameters.
  const { buffer, scale } = await api.rawArray(url, { cache: "no-store" });
  return decodeNpy(buffer, scale);
}

/** A promise of {shape, values}. */
export function arrayOf({ maps }, name) {
  if (!arrays.has(maps)) arrays.set(maps, new Map());
  const known = arrays.get(maps);
  if (!known.has(name)) {
    const coming = fetchArray(maps[name]);
    known.set(name, coming);
    coming.catch(() => known.delete(name));
  }
  return known.get(name);
}

/** Calls `run` once, when the node first comes near the window. */
export function whenNear(node, run) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    observer.disconnect();
    run();
  }, { rootMargin: "400px" });
  observer.observe(node);
}
