// The types of the state, for tsc. No module loads it.

/**
 * @import { ClassBody, InputBody, MethodBody, Models, PanelBody, SampleBody } from "../api/types.js"
 * @import { Problem } from "../api/client.js"
 * @import { Palette, RawArray, Settings } from "../rendering/types.js"
 */

/**
 * What a row is known by; null as target is the model's top class, null as model the default that is not known yet.
 * @typedef {{ model: string | null, target: number | null }} RowKey
 */

/** @typedef {{ key: RowKey, model: string | null, target: ClassBody | null }} Row */

/** @typedef {Row & { panels: Panel[] }} RowWithPanels */

/** @typedef {{ rows: RowKey[], hiddenRows: RowKey[], hiddenMethods: string[] }} Layout */

/** @typedef {Record<string, Record<string, any>>} Options {method: {parameter: value}}, without what is the default */

/**
 * The question: models × targets are rows, methods columns.
 * @typedef {object} Ask
 * @property {string[]} models - ids; empty: the server's default model
 * @property {(ClassBody | null)[]} targets - null for each model's top class; empty: that alone
 * @property {string[] | null} methods - ids; null: the server's default methods
 * @property {Options} options
 * @property {ClassBody | null} against
 * @property {string} score
 * @property {number} seed
 * @property {string | null} fit - null is the model's own
 * @property {string | null} size - null is the model's own
 */

/** @typedef {{ field: string, value: any }} Source Where the server gets a picture from: the field of the form, and its value. */

/**
 * A picture of the strip; `id` is that of its explanation, once there is one.
 * @typedef {object} PictureEntry
 * @property {string} key
 * @property {string | null} id
 * @property {string} url
 * @property {string | null} name
 * @property {Source | null} source
 */

/**
 * The picture that is shown, with its size in pixels once that is known.
 * @typedef {object} Picture
 * @property {string} key
 * @property {string} url
 * @property {string | null} name
 * @property {number} [width]
 * @property {number} [height]
 * @property {string | null} [sample]
 */

/**
 * How far the measuring of one metric is.
 * @typedef {object} Measuring
 * @property {"waiting" | "running" | "cancelled" | "failed"} status
 * @property {number} done
 * @property {number | null} total
 * @property {any} problem
 */

/**
 * Why a panel has no map; `again` tries once more.
 * @typedef {{ title?: string, detail?: string, again?: () => void }} PanelProblem
 */

/**
 * One map of the grid.
 * @typedef {object} Panel
 * @property {string} id
 * @property {string | null} model
 * @property {string} method
 * @property {ClassBody | null} target
 * @property {ClassBody | null} against
 * @property {"waiting" | "running" | "done" | "refused" | "failed" | "cancelled"} status
 * @property {number} done
 * @property {number | null} total
 * @property {RawArray | null} partial - the newest partial map of the stream, summed over channels
 * @property {RawArray | null} raw - the array itself, once it is fetched
 * @property {PanelBody | null} record
 * @property {PanelProblem | null} problem
 * @property {Record<string, Measuring>} measuring - by metric
 * @property {boolean} cached - shown from before, until the server has sent its record
 * @property {number} [order] - of the partial map, among those of the stream
 * @property {boolean} [difference] - of two maps, and no attribution
 */

/**
 * What went wrong, and where it is told.
 * @typedef {object} Notice
 * @property {"picture" | "ask" | "grid"} place
 * @property {Problem} problem
 * @property {string | null} [name] - of the picture that was refused
 * @property {(() => void) | null} retry
 */

/** @typedef {"empty" | "loading" | "running" | "done" | "cancelled" | "failed"} Phase */

/**
 * All of the page but the catalogue, the strip of pictures, and how maps are rendered.
 * @typedef {object} ViewState
 * @property {Phase} phase
 * @property {string | null} id - of the explanation
 * @property {Picture | null} picture
 * @property {Map<string | null | undefined, InputBody>} inputs - by model
 * @property {Panel[]} panels - those that are shown, row by row in the order shown
 * @property {Panel[]} hiddenPanels - those of hidden rows and columns
 * @property {Ask} ask
 * @property {Layout} layout
 * @property {RowKey | null} row - that picture, predictions and question belong to; null: the first
 * @property {Notice | null} notice
 * @property {number | null} seconds
 */

/**
 * What is magnified, marked and compared. Plain JSON; places are pixels of the original.
 * @typedef {object} Viewport
 * @property {number} zoom - of every panel, 1 … 16
 * @property {number[] | null} centre - [x, y]; null: the middle of each panel
 * @property {number[] | null} cross - [x, y] of the crosshair
 * @property {number[] | null} box - [x0, y0, x1, y1]
 * @property {string[] | null} compare - ids of two panels
 * @property {number | null} split - 0 … 1: how much of the full screen is the picture
 * @property {string | null} panel - the one that was looked at last
 */

/**
 * A download of weights.
 * @typedef {object} Download
 * @property {string} model
 * @property {"offered" | "forbidden" | "running" | "stopped" | "failed" | "ready"} status
 * @property {number} done - bytes
 * @property {number | null} total - bytes
 * @property {Problem | null} problem
 * @property {boolean} [adding] - a row, else the model of the current one is changed
 */

/**
 * @typedef {object} PageState
 * @property {Models | null} models
 * @property {Download[]} downloads
 * @property {MethodBody[] | null} methods
 * @property {SampleBody[] | null} samples
 * @property {Record<string, Palette> | null} palettes
 * @property {PictureEntry[]} pictures - the strip
 * @property {Settings} rendering
 * @property {Viewport} viewport
 * @property {"box" | null} tool - "box" while the next drag on a map draws one
 * @property {string | null} viewedPanel - the id of the panel that is open full screen
 * @property {string | null} parametersOf - the id of the method whose parameters are being set
 * @property {RowKey | null} flowRow - the row whose gradient flow is open
 * @property {string | null} metricsPanel - the id of the panel whose metrics are open
 * @property {Sheet | null} sheet - that is open on a phone
 */

/** @typedef {"ask" | "reading"} Sheet */

/** @typedef {ViewState & PageState} State */

export {};
