// The types of the state, for tsc. No module loads it.

/**
 * @import { ClassBody, Explanation, InputBody, MethodBody, Models, PanelBody, SampleBody } from "../api/types.js"
 * @import { Problem } from "../api/client.js"
 * @import { Mask } from "../arrays/mask.js"
 * @import { Palette, RawArray, Settings } from "../rendering/types.js"
 */

/**
 * What a row is known by; null as target is the model's top class, null as model the default that is not known yet.
 * @typedef {{ model: string | null, target: number | null }} RowKey
 */

/**
 * A class that is asked for. `indices`: of each model, where the models number their classes differently.
 * @typedef {ClassBody & { indices?: Record<string, number> }} AskedClass
 */

/** @typedef {{ key: RowKey, model: string | null, target: AskedClass | null }} Row */

/** @typedef {Row & { panels: Panel[] }} RowWithPanels */

/** @typedef {{ rows: RowKey[], hiddenRows: RowKey[], hiddenMethods: string[] }} Layout */

/** @typedef {Record<string, Record<string, any>>} Options {method: {parameter: value}}, without what is the default */

/**
 * The question: models × targets are rows, methods columns.
 * @typedef {object} Ask
 * @property {string[]} models - ids; empty: the server's default model
 * @property {(AskedClass | null)[]} targets - null for each model's top class; empty: that alone
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
 * How far the question is answered for a picture of the strip.
 * @typedef {object} PictureJob
 * @property {"waiting" | "computing" | "done" | "failed" | "stopped"} status
 * @property {string | null} question - that was answered, as text; null where that is not known
 * @property {Explanation | null} record - of an answer that was not looked at yet
 * @property {string | null} problem - why it failed
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
 * @typedef {{ type?: string, title?: string, detail?: string, code?: string, values?: Record<string, any>, again?: () => void }} PanelProblem
 */

/**
 * A small picture of a map, coloured by the server.
 * @typedef {object} Preview
 * @property {string} url
 * @property {Settings} rendering - that it is coloured by
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
 * @property {Preview | null} preview - a small picture of the map, where the array takes long
 * @property {PanelBody | null} record
 * @property {PanelProblem | null} problem
 * @property {Record<string, Measuring>} measuring - by metric
 * @property {boolean} cached - taken from the page's cache of results, until the server has sent its record
 * @property {number} [order] - of the partial map, among those of the stream
 * @property {boolean} [difference] - it is the difference of two maps, not an attribution
 * @property {boolean} [picture] - it shows what its model saw, without a map
 * @property {InputBody} [input] - what its model saw, where that is not in the state any more
 */

/** @typedef {{ maps: Map<string, Panel> }} Previous The maps of the previous question, by row and method of the current question. */

/**
 * What went wrong, and where it is told.
 * @typedef {object} Notice
 * @property {"picture" | "ask" | "grid"} place
 * @property {Problem} problem
 * @property {string | null} [name] - of the picture that was refused
 * @property {(() => void) | null} retry
 * @property {string | null} [asked] - the question that was not answered, while the page still shows the previous one
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
 * @property {Previous | null} previous
 * @property {string | null} blink - where the map of the previous question is shown: a panel's id, or "all"
 */

/**
 * What is magnified, marked and compared. Plain JSON; places are pixels of the original.
 * @typedef {object} Viewport
 * @property {number} zoom - of every panel, 1 … 16
 * @property {number[] | null} centre - [x, y]; null: the middle of each panel
 * @property {number[] | null} cross - [x, y] of the crosshair
 * @property {number[] | null} box - [x0, y0, x1, y1]
 * @property {Mask | null} mask - drawn instead of a box
 * @property {string[] | null} compare - ids of two panels; "picture" is what the other's model saw
 * @property {"side" | "wipe" | "blink"} how - they are compared
 * @property {number} wipe - 0 … 1: where the line between them is
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
 * @property {boolean} [adding] - the model is for a new row; otherwise it replaces the current row's
 */

/**
 * All maps being checked, one metric of one map after the other.
 * @typedef {object} Checks
 * @property {"running" | "done" | "cancelled"} status
 * @property {number} done
 * @property {number} of - how many there are in all
 * @property {number} failed - of those that are done
 * @property {string | null} doing - what is measured now, in words
 * @property {number | null} seconds - that are left; null where that is not known
 */

/**
 * @typedef {object} PageState
 * @property {Models | null} models
 * @property {Download[]} downloads
 * @property {MethodBody[] | null} methods
 * @property {Record<string, string>} classNames - in the page's language, by label
 * @property {SampleBody[] | null} samples
 * @property {Record<string, Palette> | null} palettes
 * @property {PictureEntry[]} pictures - the strip
 * @property {string | null} strip - the name under which this browser keeps the strip's pictures
 * @property {Record<string, PictureJob>} pictureJobs - by picture
 * @property {boolean} paused - pictures that nobody looks at are not computed
 * @property {boolean} overview - all pictures are shown
 * @property {Settings} rendering
 * @property {Viewport} viewport
 * @property {"box" | "mask" | null} tool - "box" while the next drag on a map draws one; "mask" while all of them draw a mask
 * @property {Brush} brush - that a mask is drawn with
 * @property {string | null} viewedPanel - the id of the panel that is open full screen
 * @property {string | null} parametersOf - the id of the method whose parameters are being set
 * @property {RowKey | null} flowRow - the row whose gradient flow is open
 * @property {string | null} metricsPanel - the id of the panel whose metrics are open
 * @property {string | null} metricsAt - the metric to begin with there
 * @property {"open" | null} checksTable - the table of all maps and metrics, while it is open
 * @property {Checks | null} checks - null before the first
 * @property {string | null} layersOf - the id of the panel whose network's layers are open
 * @property {Sheet | null} sheet - that is open on a phone
 * @property {"history" | "forget" | "key" | "keys" | null} dialog - that is open and belongs to no panel, row or method
 */

/** @typedef {"ask" | "reading"} Sheet */

/** @typedef {{ size: number, erase: boolean }} Brush Its diameter, in per cent of the picture's longer side. */

/** @typedef {ViewState & PageState} State */

export {};
