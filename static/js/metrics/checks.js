// Checking all maps: every metric of every map that is shown, the cheapest metric first, one at a time.

import { announce } from "../shared/announce.js";
import { t } from "../shared/texts.js";
import { setChecks } from "../state/actions.js";
import { methodTitle } from "../state/methods.js";
import { canBeMeasured } from "../state/panels.js";
import { store } from "../state/store.js";
import { costsOf, weightOf } from "./cost.js";
import { cancel, measure } from "./measurements.js";
import { metrics, metricTitle, settingValues } from "./metric-list.js";

/**
 * @import { MetricEstimate } from "../api/types.js"
 * @import { Checks, Panel } from "../state/types.js"
 */

/** @typedef {{ panel: string, metric: string }} Cell */

const LONGEST_WAIT = 30; // seconds to wait for a busy server
const LEAST_DONE = 0.05; // share of all passes that must be done before the time of the rest is predicted from them

/** @type {Map<string, MetricEstimate | null>} */
const prices = new Map(); // by map and metric, of the explanation that is shown; null where the server has none
const timed = new Set(); // cells for which the server was asked to time passes, even if it could not

/** @param {Cell} cell */
const keyOf = ({ panel, metric }) => JSON.stringify([panel, metric]);

/** @param {Cell} cell */
export const priceOf = (cell) => prices.get(keyOf(cell));

/** The maps that are shown and can be measured. */
export const checkable = () => store.state.panels.filter(canBeMeasured);

/** @param {Cell} cell */
const measuredOf = ({ panel, metric }) => store.panel(panel)?.record?.metrics?.[metric];

/**
 * Whether a metric is still to be measured: it never was, or it failed.
 * @param {Cell} cell
 */
const isOpen = (cell) => (measuredOf(cell)?.status ?? "failed") === "failed";

/** @param {Cell} cell */
const isUntimed = (cell) => isOpen(cell) && priceOf(cell)?.seconds === null && !timed.has(keyOf(cell));

/**
 * The cost of a cell without seconds; 0 where it is not known.
 * @param {Cell} cell
 */
const weightOfCell = (cell) => weightOf(priceOf(cell) ?? { forwards: 0, gradients: 0 });

/**
 * @param {string} metric
 * @returns {Cell[]}
 */
const columnOf = (metric) => checkable().map(({ id }) => ({ panel: id, metric }));

/** The metrics by what they cost for all maps, the cheapest first. */
export function byCost() {
  /** @param {string} metric */
  const total = (metric) => columnOf(metric).reduce((sum, cell) => sum + weightOfCell(cell), 0);
  const known = new Map(metrics().map(({ id }) => [id, total(id)]));
  return [...known.keys()].sort((one, other) => (known.get(one) ?? 0) - (known.get(other) ?? 0));
}

/**
 * What has not been measured yet: metric by metric, the cheapest map first.
 * @param {string[]} [columns]
 */
export function openCells(columns = byCost()) {
  return columns.flatMap((metric) => columnOf(metric).filter(isOpen).sort((one, other) => weightOfCell(one) - weightOfCell(other)));
}

// What it costs

/** The values that metrics are measured with here; a region costs nothing, so that of no panel will do. */
const defaults = () => Object.fromEntries(metrics().map(({ id }) => [id, settingValues(id, null, "")]));

/**
 * @param {Panel[]} panels - of one model
 * @param {string[]} asked - ids of metrics
 * @param {{ timed: boolean, signal: AbortSignal }} how
 */
async function fetchPrices(panels, asked, how) {
  const values = defaults();
  const found = await costsOf(panels, asked.map((metric) => ({ metric, values: values[metric] })), how);
  if (how.signal.aborted) return;
  for (const { id, method } of panels) {
    for (const metric of asked) {
      const key = keyOf({ panel: id, metric });
      prices.set(key, found.get(method)?.find((price) => price.metric === metric) ?? null);
      if (how.timed) timed.add(key);
    }
  }
}

/** The maps by their models. */
function byModel() {
  /** @type {Map<string | null, Panel[]>} */
  const found = new Map();
  for (const panel of checkable()) found.set(panel.model, [...(found.get(panel.model) ?? []), panel]);
  return [...found.values()];
}

/**
 * Asks for the prices that are not known yet: passes first, which the server knows at once; then seconds, for which it may
 * have to time a few passes. While maps are checked it is not asked for seconds: the checks would have to wait.
 * @param {AbortSignal} signal
 * @param {() => void} changed
 */
export async function askPrices(signal, changed) {
  const all = metrics().map(({ id }) => id);
  for (const panels of byModel()) {
    const missing = panels.filter(({ id }) => all.some((metric) => priceOf({ panel: id, metric }) === undefined));
    if (missing.length) await fetchPrices(missing, all, { timed: false, signal });
    if (signal.aborted) return;
    changed();
  }
  for (const metric of byCost()) {
    for (const panels of byModel()) {
      if (isRunning()) return;
      const missing = panels.filter(({ id }) => isUntimed({ panel: id, metric }));
      if (missing.length) await fetchPrices(missing, [metric], { timed: true, signal });
      if (signal.aborted) return;
      changed();
    }
  }
}

/**
 * The known seconds of these cells, added up; `complete`: they are known of all cells.
 * @param {Cell[]} cells
 */
export function timeOf(cells) {
  const known = cells.map((cell) => priceOf(cell)?.seconds ?? null);
  return { seconds: known.reduce((/** @type {number} */ sum, each) => sum + (each ?? 0), 0), complete: !known.includes(null) };
}

// The run

/** @type {Cell | null} */
let current = null; // what is measured now
let run = 0; // counts the runs: one that was cancelled does not go on with the next

/** @param {number} number - of the run */
const isRunning = (number = run) => number === run && store.state.checks?.status === "running";

/** @param {Cell} cell */
const hasFailed = (cell) => store.panel(cell.panel)?.measuring[cell.metric]?.status === "failed" || measuredOf(cell)?.status === "failed";

/**
 * What the rest will take: by its prices, or, where not all are known, by what was done so far; null where that is
 * too little to tell.
 * @param {Cell[]} rest
 * @param {Cell[]} done
 * @param {number} spent - seconds
 */
function secondsLeft(rest, done, spent) {
  const { seconds, complete } = timeOf(rest);
  if (complete) return seconds;
  const [left, before] = [rest, done].map((cells) => cells.reduce((sum, cell) => sum + weightOfCell(cell), 0));
  return before > LEAST_DONE * (before + left) ? (spent * left) / before : null;
}

/** @param {Partial<Checks>} patch */
const update = (patch) => store.state.checks && setChecks({ ...store.state.checks, ...patch });

/** @param {Cell} cell */
function doingText({ panel, metric }) {
  return t("checks.doing", { metric: metricTitle(metric), method: methodTitle(store.panel(panel)?.method ?? "") });
}

/**
 * Measures one; where the server is busy it waits as long as it is told to, and tries once more.
 * @param {Cell} cell
 * @param {number} number - of the run
 */
async function check({ panel, metric }, number) {
  const asked = [{ metric, values: settingValues(metric, null, panel) }];
  await measure(panel, asked, { quiet: true });
  const problem = store.panel(panel)?.measuring[metric]?.problem;
  if (!problem?.transient || !problem.retryAfter || !isRunning(number)) return;
  await new Promise((resolve) => { setTimeout(resolve, 1000 * Math.min(problem.retryAfter, LONGEST_WAIT)); });
  if (isRunning(number)) await measure(panel, asked, { quiet: true });
}

/**
 * @param {Cell[]} cells
 * @param {number} number - of the run
 */
async function work(cells, number) {
  const begun = performance.now();
  for (const [index, cell] of cells.entries()) {
    if (!isRunning(number)) return;
    current = cell;
    update({ doing: doingText(cell), seconds: secondsLeft(cells.slice(index), cells.slice(0, index), (performance.now() - begun) / 1000) });
    if (checkable().some((panel) => panel.id === cell.panel) && isOpen(cell)) await check(cell, number);
    if (!isRunning(number)) return;
    current = null;
    const { done = 0, failed = 0 } = store.state.checks ?? {};
    update({ done: done + 1, failed: failed + (hasFailed(cell) ? 1 : 0) });
  }
  const { done = 0, failed = 0 } = store.state.checks ?? {};
  update({ status: "done", doing: null, seconds: null });
  announce(t(failed ? "checks.announce.failed" : "checks.announce.done", { done, failed }));
}

/** Fills what is open; what fails does not keep the rest from being measured. */
export function checkAll() {
  const cells = openCells();
  if (isRunning() || !cells.length) return;
  setChecks({ status: "running", done: 0, of: cells.length, failed: 0, doing: null, seconds: null });
  announce(t("checks.announce.begun", { of: cells.length }));
  run += 1;
  work(cells, run);
}

store.watch(["checks"], ({ checks }) => {
  if (checks?.status !== "cancelled" || !current) return;
  const { panel, metric } = current;
  current = null;
  cancel(panel, metric);
  announce(t("announce.cancelled"));
});

// What belongs to an explanation that is left is not checked any more; another's maps have the same ids.
let shown = store.state.id;
store.watch(["id"], ({ id, checks }) => {
  if (id === shown) return;
  shown = id;
  prices.clear();
  timed.clear();
  run += 1;
  current = null;
  if (checks) setChecks(null);
});
