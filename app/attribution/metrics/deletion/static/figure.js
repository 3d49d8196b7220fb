// Deletion: the curves, and the picture at any point of them.

import { curveFigure } from "../../../js/metrics/curve-figure.js";
import { plain } from "../../../js/metrics/headline.js";

/** @import { Panel } from "../../../js/state/types.js" */

/**
 * @param {any} measured
 * @param {Panel} panel
 */
export const figure = (measured, panel) => curveFigure(measured, panel, false);

/**
 * The area under the curve.
 * @param {any} measured
 */
export const headline = ({ figures }) => plain(figures.map.area);
