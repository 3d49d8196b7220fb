// What is drawn of each metric.

import { curveFigure } from "./curve-figure.js";
import { gradientFigure } from "./gradient-figure.js";
import { completenessFigure, infidelityFigure, plainFigure, sensitivityFigure } from "./number-figure.js";
import { randomisationFigure } from "./randomisation-figure.js";
import { classFigure, stabilityFigure } from "./similarity-figure.js";

/** @import { Panel } from "../state/types.js" */

/** @type {Record<string, (measured: any, panel: Panel) => HTMLElement>} */
const FIGURES = {
  deletion: curveFigure,
  insertion: curveFigure,
  randomisation: randomisationFigure,
  class_sensitivity: classFigure,
  stability: stabilityFigure,
  gradient_check: gradientFigure,
  completeness: completenessFigure,
  infidelity: infidelityFigure,
  max_sensitivity: sensitivityFigure,
};

/**
 * A node with all that a finished measurement has found.
 * @param {any} measured
 * @param {Panel} panel
 */
export const figureOf = (measured, panel) => (FIGURES[measured.metric] ?? plainFigure)(measured, panel);
