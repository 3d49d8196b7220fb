// What the modules of the lab hand each other: the wire's types by their names here, and the page's own.

/** @typedef {number | null} Value null where it is not finite */

/** @typedef {import("../api/types.js").Axis} Axis */
/** @typedef {import("../api/types.js").Series} Series */
/** @typedef {import("../api/types.js").LinesData} LinesData */
/** @typedef {import("../api/types.js").BarsData} BarsData */
/** @typedef {import("../api/types.js").HistogramData} HistogramData */
/** @typedef {import("../api/types.js").MatrixData} MatrixData */
/** @typedef {import("../api/types.js").HeatmapData} HeatmapData */
/** @typedef {import("../api/types.js").ContourData} ContourData */
/** @typedef {import("../api/types.js").GraphData} GraphData */
/** @typedef {import("../api/types.js").TableData} TableData */
/** @typedef {import("../api/types.js").Node} GraphNode */
/** @typedef {import("../api/types.js").Grid} Grid */
/** @typedef {import("../api/types.js").GridStep} GridStep */
/** @typedef {import("../api/types.js").GridsData} GridsData */
/** @typedef {import("../api/types.js").ExperimentFinding} FindingBody */
/** @typedef {import("../api/types.js").ExperimentResult} Result */

/** @typedef {{ id: string, kind: string, title: string, data: any }} FigureBody of any kind: `kind` says which data it has */

/**
 * A parameter, as `app/web/lab_pages.py` describes its control.
 * @typedef {object} Declared
 * @property {string} name
 * @property {string} kind
 * @property {any} initial
 * @property {number | null} low
 * @property {number | null} high
 * @property {boolean} open_low
 * @property {boolean} open_high
 * @property {boolean} whole
 * @property {number | null} step
 * @property {boolean} log
 * @property {any[]} choices
 * @property {boolean} optional
 * @property {Declared | null} other
 * @property {[number, number | null] | null} [columns] of a grid, from and to; its rows are from `low` to `high`
 * @property {Declared | null} [cell] what each number of a grid or a list is held to
 * @property {string[]} [follows] the parameters that determine the size of a grid
 */

/** @typedef {{ id: string, parameters: Record<string, any> }} Try */

/** @typedef {{ id: string, controls: Declared[], tries: Try[] }} Experiment */

export {};
