// A web worker that decodes and compares maps, so that sliders and gestures stay smooth while maps arrive.

import { compare } from "./comparison.js";
import { decodeFloat16 } from "./float16.js";
import { parseNpy } from "./npy.js";

/** @import { RawArray } from "../rendering/types.js" */

/**
 * A map as an event of the stream carries it: float16 in base64.
 * @param {{ shape: number[], scale: number, data: string }} map
 * @returns {RawArray}
 */
function decodeMap({ shape, scale, data }) {
  const binary = atob(data);
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  // One channel: the server has summed the maps of the stream over their channels.
  return { shape: [1, ...shape], values: decodeFloat16(bytes.buffer, 0, shape[0] * shape[1], scale) };
}

/** @type {Record<string, (message: any) => { values: Float32Array }>} */
const tasks = {
  map: ({ map }) => decodeMap(map),
  npy: ({ buffer, scale }) => parseNpy(buffer, scale),
  compare: ({ a, b }) => compare(a, b),
};

addEventListener("message", ({ data }) => {
  try {
    const array = tasks[data.task](data);
    self.postMessage({ requestId: data.requestId, array }, { transfer: [array.values.buffer] });
  } catch (error) {
    self.postMessage({ requestId: data.requestId, error: /** @type {Error} */ (error).message });
  }
});
