// What the server has written into the page of methods and metrics: known before it is asked, on the first visit too.

/** @type {{ methods: string[], metrics: { id: string, figure: boolean }[] }} */
const plugins = JSON.parse(document.getElementById("plugins")?.textContent ?? '{"methods":[],"metrics":[]}');

/** The methods that are computed unless others are named. */
export const DEFAULT_METHODS = plugins.methods;

/** The metrics in the order in which they are shown, and whether each has a figure of its own. */
export const METRICS = plugins.metrics;

/**
 * The address of what a method or a metric brings for browsers.
 * @param {"methods" | "metrics"} kind
 * @param {string} id
 * @param {string} file
 */
export const assetOf = (kind, id, file) => new URL(`../../plugins/${kind}/${id}/${file}`, import.meta.url).href;
