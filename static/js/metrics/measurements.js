// Measuring: one metric after the other, each a request of its own, so that one may be cancelled and the others go on.

import * as api from "../api/client.js";
import { announce } from "../shared/announce.js";
import { t } from "../shared/texts.js";
import { updatePanel } from "../state/actions.js";
import { store } from "../state/store.js";
import { metricTitle } from "./metric-list.js";

/**
 * @import { MeasurementBody, PanelBody } from "../api/types.js"
 * @import { Measuring } from "../state/types.js"
 */

/** @typedef {{ metric: string, values: Record<string, any> }} Asked */

/**
 * A metric in a queue: `over` resolves when it is done, failed or left out, which `settle` brings about; a quiet one is
 * not announced.
 * @typedef {Asked & { quiet: boolean, over: Promise<void>, settle: () => void }} Queued
 */

/** @typedef {{ waiting: Queued[], controller: AbortController | null, current: Queued | null, explanation: string | null }} Queue */

/** @type {Map<string, Queue>} */
const queues = new Map(); // by a panel's id

/**
 * Writes how far a metric is into the panel; null: it is not being measured any more.
 * @param {string} id - of the panel
 * @param {string} metric
 * @param {Partial<Measuring> | null} state
 */
function setMeasuring(id, metric, state) {
  const panel = store.panel(id);
  if (!panel) return;
  const { [metric]: before, ...others } = panel.measuring;
  updatePanel(id, { measuring: state ? { ...others, [metric]: { ...before, ...state } } : others });
}

/**
 * Puts what a metric has found into the panel's record; nothing changes where it is what was known.
 * @param {string} id - of the panel
 * @param {MeasurementBody} measured
 */
function storeMeasurement(id, measured) {
  const { record } = store.panel(id) ?? {};
  if (!record || JSON.stringify(record.metrics?.[measured.metric]) === JSON.stringify(measured)) return;
  updatePanel(id, { record: { ...record, metrics: { ...record.metrics, [measured.metric]: measured } } });
}

/** @type {Record<string, (id: string, data: any) => void>} */
const receive = {
  progress: (id, { metric, done, total }) => setMeasuring(id, metric, { status: "running", done, total }),
  metric: (id, { metric }) => storeMeasurement(id, metric),
  done(id, { panels }) {
    const record = /** @type {PanelBody[]} */ (panels).find((panel) => panel.id === id);
    for (const measured of Object.values(record?.metrics ?? {})) storeMeasurement(id, measured);
  },
  error(id, data) {
    throw new api.Problem(data);
  },
};

/**
 * @param {Asked} asked
 * @param {boolean} quiet
 * @returns {Queued}
 */
function queued(asked, quiet) {
  let settle = () => {};
  /** @type {Promise<void>} */
  const over = new Promise((resolve) => { settle = resolve; });
  return { ...asked, quiet, over, settle };
}

/**
 * @param {string} id - of the panel
 * @param {Queue} queue
 * @param {Queued} asked
 */
async function follow(id, queue, asked) {
  const { metric, values, quiet } = asked;
  /** @param {string} text */
  const tell = (text) => quiet || announce(text);
  queue.controller = new AbortController();
  queue.current = asked;
  const { signal } = queue.controller;
  setMeasuring(id, metric, { status: "running", done: 0, total: null, problem: null });
  try {
    /** @type {api.Fields} */
    const fields = [["metrics", metric], ["options", JSON.stringify({ [metric]: values })]];
    for await (const { event, data } of api.measure(queue.explanation ?? "", id, fields, signal)) {
      if (signal.aborted) return;
      receive[event]?.(id, data);
    }
    setMeasuring(id, metric, null);
    tell(t(`trust.announce.${store.panel(id)?.record?.metrics?.[metric]?.status ?? "done"}`, { metric: metricTitle(metric) }));
  } catch (error) {
    if (signal.aborted) return;
    // What has gone wrong with this request would go wrong with the next one.
    for (const other of queue.waiting.splice(0)) {
      setMeasuring(id, other.metric, null);
      other.settle();
    }
    setMeasuring(id, metric, { status: "failed", problem: error });
    tell(t("trust.announce.failed", { metric: metricTitle(metric) }));
  } finally {
    asked.settle();
  }
}

/**
 * @param {string} id - of the panel
 * @param {Queue} queue
 */
async function work(id, queue) {
  const several = queue.waiting.length > 1;
  while (queue.waiting.length) await follow(id, queue, /** @type {Queued} */ (queue.waiting.shift()));
  if (queues.get(id) !== queue) return; // it was left
  queues.delete(id);
  updatePanel(id);
  if (several) announce(t("trust.announce.all"));
}

/**
 * Measures [{metric, values}] of a panel, after what is being measured of it already. Resolves when all of them are over:
 * done, failed or cancelled. `quiet`: nothing of it is announced.
 * @param {string} id - of the panel
 * @param {Asked[]} asked
 * @param {{ quiet?: boolean }} [options]
 */
export async function measure(id, asked, { quiet = false } = {}) {
  const running = queues.get(id);
  /** @type {Queue} */
  const queue = running ?? { waiting: [], controller: null, current: null, explanation: store.state.id };
  const fresh = asked.filter(({ metric }) => !isMeasuring(id, metric)).map((each) => queued(each, quiet));
  queue.waiting.push(...fresh);
  for (const { metric } of fresh) setMeasuring(id, metric, { status: "waiting", done: 0, total: null, problem: null });
  const wanted = [...queue.waiting, ...(queue.current ? [queue.current] : [])].filter(({ metric }) => asked.some((each) => each.metric === metric));
  if (!running && fresh.length) {
    queues.set(id, queue);
    work(id, queue);
  }
  await Promise.all(wanted.map(({ over }) => over));
}

/**
 * @param {string | null} id - of the panel
 * @param {string} [metric]
 */
export function isMeasuring(id, metric) {
  const queue = id === null ? undefined : queues.get(id);
  return queue !== undefined && (metric === undefined || queue.current?.metric === metric || queue.waiting.some((asked) => asked.metric === metric));
}

/**
 * Ends a metric; the server stops when the stream is closed. What waits behind it goes on.
 * @param {string} id - of the panel
 * @param {string} metric
 */
export function cancel(id, metric) {
  const queue = queues.get(id);
  if (!queue) return;
  for (const asked of queue.waiting) if (asked.metric === metric) asked.settle();
  queue.waiting = queue.waiting.filter((asked) => asked.metric !== metric);
  if (queue.current?.metric === metric) {
    queue.controller?.abort();
    queue.current = null;
  }
  setMeasuring(id, metric, { status: "cancelled" });
}

/** @param {string} id - of the panel */
export function cancelAll(id) {
  const queue = queues.get(id);
  if (!queue) return;
  for (const { metric } of [queue.current ?? [], queue.waiting].flat()) cancel(id, metric);
  announce(t("announce.cancelled"));
}

// What belongs to an explanation that is left is not measured any more; another's panels have the same ids.
store.watch(["id"], ({ id }) => {
  for (const [panel, queue] of queues) {
    if (queue.explanation === id) continue;
    queues.delete(panel);
    for (const asked of queue.waiting.splice(0)) asked.settle();
    queue.controller?.abort();
  }
});
