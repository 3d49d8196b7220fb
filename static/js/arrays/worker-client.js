// The page's side of worker.js: a promise for every array.

/**
 * @import { RawArray } from "../rendering/types.js"
 * @import { Clipped, compare } from "./comparison.js"
 */

// Not "./worker.js": in the bundle this module lies in another folder, beside arrays/.
const worker = new Worker(new URL("../arrays/worker.js", import.meta.url), { type: "module" });
/** @type {Map<number, { resolve: (array: any) => void, reject: (error: Error) => void }>} */
const waiting = new Map();
let lastRequestId = 0;

worker.addEventListener("message", ({ data }) => {
  const asked = waiting.get(data.requestId);
  waiting.delete(data.requestId);
  if (data.error) asked?.reject(new Error(data.error));
  else asked?.resolve(data.array);
});

worker.addEventListener("error", () => {
  for (const { reject } of waiting.values()) reject(new Error("the decoding worker stopped"));
  waiting.clear();
});

/**
 * @param {object} message
 * @param {Transferable[]} transfer
 * @returns {Promise<any>}
 */
function request(message, transfer = []) {
  lastRequestId += 1;
  return new Promise((resolve, reject) => {
    waiting.set(lastRequestId, { resolve, reject });
    worker.postMessage({ ...message, requestId: lastRequestId }, transfer);
  });
}

/**
 * A map of the stream: {shape: [1, h, w], values}.
 * @param {object} map
 * @returns {Promise<RawArray>}
 */
export const decodeMap = (map) => request({ task: "map", map });

/**
 * The bytes of an .npy: {shape, values}.
 * @param {ArrayBuffer} buffer
 * @param {number} scale
 * @returns {Promise<RawArray>}
 */
export const decodeNpy = (buffer, scale) => request({ task: "npy", buffer, scale }, [buffer]);

/**
 * Two reduced maps {width, height, values, crop, clip} against each other: see comparison.js.
 * @param {Clipped} a
 * @param {Clipped} b
 * @returns {Promise<ReturnType<typeof compare>>}
 */
export const compareMaps = (a, b) => request({ task: "compare", a, b });
