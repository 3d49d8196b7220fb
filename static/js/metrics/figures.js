// What is drawn of each metric: the figure.js that it brings, else its numbers in words.

import { assetOf, METRICS } from "../state/plugins.js";
import { numberFigure } from "./number-figure.js";

/** @import { Panel } from "../state/types.js" */

/** @type {Map<string, (measured: any, panel: Panel) => HTMLElement>} */
const figures = new Map();

/** Fetches the figures of the metrics; one that cannot be had is left out. */
export async function loadFigures() {
  await Promise.all(METRICS.filter(({ id, figure }) => figure && !figures.has(id)).map(async ({ id }) => {
    try {
      figures.set(id, (await import(assetOf("metrics", id, "figure.js"))).figure);
    } catch (error) {
      console.info(error);
    }
  }));
}

/**
 * A node with all that a finished measurement has found.
 * @param {any} measured
 * @param {Panel} panel
 */
export const figureOf = (measured, panel) => (figures.get(measured.metric) ?? numberFigure)(measured, panel);
