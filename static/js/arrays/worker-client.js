// The page's side of worker.js: a promise for every array.

const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let tickets = 0;

worker.addEventListener("message", ({ data }) => {
  const { resolve, reject } = waiting.get(data.ticket);
  waiting.delete(data.ticket);
  if (data.error) reject(new Error(data.error));
  else resolve(data.array);
});

worker.addEventListener("error", () => {
  for (const { reject } of waiting.values()) reject(new Error("the decoding worker stopped"));
  waiting.clear();
});

function ask(message, transfer = []) {
  tickets += 1;
  return new Promise((resolve, reject) => {
    waiting.set(tickets, { resolve, reject });
    worker.postMessage({ ...message, ticket: tickets }, transfer);
  });
}

/** A map of the stream: {shape: [1, h, w], values}. */
export const decodeMap = (map) => ask({ task: "map", map });

/** The bytes of an .npy: {shape, values}. */
export const decodeNpy = (buffer, scale) => ask({ task: "npy", buffer, scale }, [buffer]);

/** Two reduced maps {width, height, values, crop, clip} against each other: see comparison.js. */
export const compareMaps = (a, b) => ask({ task: "compare", a, b });
