// The one number of a metric that its cell in a table shows.

import * as format from "../shared/format.js";
import { textOr } from "../shared/texts.js";

/** @typedef {{ value: number | null, text: string }} Headline */

/**
 * A number as it is; «–» where there is none.
 * @param {any} value
 * @returns {Headline}
 */
export const plain = (value) => (Number.isFinite(value) ? { value, text: format.number(value) } : { value: null, text: "–" });

/**
 * A share, as percent.
 * @param {any} value
 * @returns {Headline}
 */
export const share = (value) => (Number.isFinite(value) ? { value, text: format.percent(value) } : { value: null, text: "–" });

/**
 * A correlation, −1 … 1.
 * @param {any} value
 * @returns {Headline}
 */
export const correlation = (value) => (Number.isFinite(value) ? { value, text: format.correlation(value) } : { value: null, text: "–" });

/**
 * For a metric that does not say which of its figures to show: the first number among them.
 * @param {{ figures: any }} measured
 */
export const firstNumber = ({ figures }) => plain(Object.values(figures ?? {}).find(Number.isFinite));

/**
 * The name of a metric's number; empty where it has none.
 * @param {string} metric
 */
export const headlineName = (metric) => textOr(`trust.figure.${metric}.headline`, "");
