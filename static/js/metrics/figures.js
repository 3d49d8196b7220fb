// Draws what a metric measured (its `figures`, which are numbers): by the figure.js in its folder, else as a list of them.

import { assetOf, METRICS } from "../state/plugins.js";
import { firstNumber } from "./headline.js";
import { numberFigure } from "./number-figure.js";

/**
 * @import { Panel } from "../state/types.js"
 * @import { Headline } from "./headline.js"
 */

/** @typedef {{ figure: (measured: any, panel: Panel) => HTMLElement, headline?: (measured: any) => Headline }} FigureModule */

/** @type {Map<string, FigureModule>} */
const figures = new Map();

/** Loads the figure.js of each metric; one that cannot be loaded is left out. */
export async function loadFigures() {
  await Promise.all(METRICS.filter(({ id, figure }) => figure && !figures.has(id)).map(async ({ id }) => {
    try {
      figures.set(id, await import(assetOf("metrics", id, "figure.js")));
    } catch (error) {
      console.info(error);
    }
  }));
}

/**
 * A node that shows the figures of a finished measurement.
 * @param {any} measured
 * @param {Panel} panel
 */
export const figureOf = (measured, panel) => (figures.get(measured.metric)?.figure ?? numberFigure)(measured, panel);

/**
 * The one number of a finished measurement for a table; of a metric that names none, the first of its figures.
 * @param {any} measured
 * @returns {Headline}
 */
export const headlineOf = (measured) => (figures.get(measured.metric)?.headline ?? firstNumber)(measured);
