// Work in short turns, so that the page answers between them.

const TURN_MS = 5; // with the piece of work that ends it, on a phone four times slower still less than the 50 ms that one notices

/**
 * Resolves in a task of its own. By a message, for a timer of a page in the background comes once a second.
 * @type {() => Promise<void>}
 */
export const nextTask = () => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    resolve();
  };
  port2.postMessage(null);
});

/**
 * Runs `work` with one item after another, in their order; what else the page has to do comes between.
 * @template T
 * @param {Iterable<T>} items
 * @param {(item: T) => void} work
 */
export async function inTurns(items, work) {
  let began = performance.now();
  for (const item of items) {
    if (performance.now() - began >= TURN_MS) {
      await nextTask();
      began = performance.now();
    }
    work(item);
  }
}

const whenIdle = globalThis.requestIdleCallback ?? ((run) => setTimeout(run, 50));
/** @type {(() => void)[]} */
const waiting = [];

// Each in an idle period of its own: as many as have room in one would together be a long task on a slower machine.
function runNext() {
  try {
    waiting[0]();
  } finally {
    waiting.shift();
    if (waiting.length) whenIdle(runNext);
  }
}

/**
 * Runs `work` once the browser is idle, after what was put off before it.
 * @param {() => void} work
 */
export function putOff(work) {
  waiting.push(work);
  if (waiting.length === 1) whenIdle(runNext);
}
