// Insertion: the curves, and the picture at any point of them.

import { curveFigure } from "../../../js/metrics/curve-figure.js";

/** @import { Panel } from "../../../js/state/types.js" */

/**
 * @param {any} measured
 * @param {Panel} panel
 */
export const figure = (measured, panel) => curveFigure(measured, panel, true);
