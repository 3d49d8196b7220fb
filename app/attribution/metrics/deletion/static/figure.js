// Deletion: the curves, and the picture at any point of them.

import { curveFigure } from "../../../js/metrics/curve-figure.js";

export const figure = (measured, panel) => curveFigure(measured, panel, false);
