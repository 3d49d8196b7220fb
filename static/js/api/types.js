// What is sent and answered, as types: written by tools/write_js_types.py, for tsc. No module loads it.

/**
 * The request is right; this is what will be made of it.
 * @typedef {object} AcceptedEvent
 * @property {string | null} [panel] - the panel, where only metrics of a stored panel are asked for
 * @property {string} id
 * @property {PlannedPanelBody[]} [panels]
 * @property {number} gradient_evaluations
 * @property {number} [shared_evaluations] - how many of them are gradients that one map has computed for another
 *   one too
 * @property {number | null} [metric_evaluations]
 */

/**
 * An axis of a figure. `id` is the key of its title in the experiment's texts.
 * @typedef {object} Axis
 * @property {string} id
 * @property {string} [title] - what is drawn along it, with its unit; filled in from the texts
 * @property {"linear" | "log"} [scale]
 * @property {number | null} [least] - of a logarithmic axis: nothing smaller is drawn
 */

/**
 * Bars side by side: `series[].x` is the place of each label, from 0.
 * @typedef {object} BarsData
 * @property {string[]} labels
 * @property {Axis | null} [x] - what the labels are, where they do not say it
 * @property {Axis} y
 * @property {Series[]} series
 */

/**
 * @typedef {object} CardFault
 * @property {string} card
 * @property {string} detail
 */

/**
 * Where a step is in one grid: the cells at these rows and columns, and what it adds to each.
 * @typedef {object} Cells
 * @property {string} grid
 * @property {number[]} rows
 * @property {number[]} columns
 * @property {number[][]} [added] - by row and column; empty: nothing
 */

/**
 * @typedef {object} ClassBody
 * @property {number} index
 * @property {string} label
 */

/**
 * @typedef {object} Classes
 * @property {FoundClass[]} classes
 */

/**
 * A surface's height over a grid, and paths on it (`paths[].x`, `paths[].y`).
 * @typedef {object} ContourData
 * @property {Axis} x
 * @property {Axis} y
 * @property {number[]} columns
 * @property {number[]} rows
 * @property {((number | null)[])[]} values
 * @property {"linear" | "log"} [scale]
 * @property {Series[]} paths
 * @property {string | null} [start] - the parameter that a press on the surface sets
 */

/**
 * A map (h, w) for the event stream: base64 of little-endian float16, to be multiplied by `scale`.
 * @typedef {object} EncodedMap
 * @property {number[]} shape
 * @property {"float16"} dtype
 * @property {number} scale
 * @property {string} data
 */

/**
 * What has computed a map's gradients. Two correct engines may differ by rounding, up to 1e-2 (relative L2).
 * @typedef {object} EngineBody
 * @property {string} backend - plain: PyTorch; folded: with BatchNorm folded into the convolutions; compiled: by
 *   OpenVINO; several, in the order of their use, where a faster one was found on the way
 * @property {string} device - as PyTorch calls it
 * @property {string} dtype - of the network and its gradients: float32, …
 * @property {number} threads - of PyTorch's operations on the CPU
 */

/**
 * @typedef {object} EstimateBody
 * @property {string} method
 * @property {number} gradient_evaluations
 * @property {number | null} seconds - from the throughput last measured on this model; null before the first
 * @property {MetricEstimate[]} [metrics] - of each requested metric; empty if the method is refused
 */

/**
 * @typedef {object} Estimates
 * @property {string} model
 * @property {EstimateBody[]} estimates
 */

/**
 * A piece of one channel of what goes into a pooling. Each window within it is one of the pooling's own.
 * @typedef {object} ExcerptBody
 * @property {number} channel - the one whose values times their gradients are largest
 * @property {number} row - where the piece begins: around the place where that product is largest
 * @property {number} column
 * @property {number[][]} values - at most 16 × 16, to four significant digits
 * @property {number | null} kernel - side of a window; null where one window covers the whole map
 * @property {number} stride
 * @property {number} padding - around the piece; if not 0, the piece is the whole map
 */

/**
 * The request is right; this is what is run.
 * @typedef {object} ExperimentAcceptedEvent
 * @property {string} id
 * @property {Record<string, any>} parameters - all of them, defaults filled in
 * @property {number} seed
 * @property {number} seconds - about what it takes, on two cores
 */

/**
 * An experiment, as GET /experiments lists it.
 * @typedef {object} ExperimentBody
 * @property {string} id
 * @property {string} title
 * @property {string} question
 * @property {string} summary
 * @property {PaperBody[]} papers
 * @property {Record<string, any>} parameters - JSON Schema
 * @property {number} seconds - about what a run with the defaults takes, on two cores
 * @property {TryBody[]} tries
 */

/**
 * A sentence with its numbers. `verdict` says whether the claim holds.
 * @typedef {object} ExperimentFinding
 * @property {string} id
 * @property {"holds" | "fails" | "depends"} verdict
 * @property {string} [text]
 * @property {Record<string, number | string | null>} [numbers]
 */

/**
 * The figures and findings so far; at most four a second.
 * @typedef {object} ExperimentPartialEvent
 * @property {number} done
 * @property {number} total
 * @property {FigureBody[]} figures
 * @property {ExperimentFinding[]} findings
 */

/**
 * `done` of `total` steps.
 * @typedef {object} ExperimentProgressEvent
 * @property {number} done
 * @property {number} total
 */

/**
 * What came of one run.
 * @typedef {object} ExperimentResult
 * @property {string} id
 * @property {Record<string, any>} parameters - all of them, defaults filled in
 * @property {number} seed
 * @property {number} seconds
 * @property {Record<string, any>} numbers
 * @property {FigureBody[]} figures
 * @property {ExperimentFinding[]} findings
 * @property {Record<string, string>} versions
 */

/**
 * @typedef {object} Experiments
 * @property {ExperimentBody[]} experiments
 */

/**
 * @typedef {object} Explanation
 * @property {string} id
 * @property {string} url
 * @property {"running" | "done" | "cancelled" | "failed"} status - only `done` has all the panels asked for
 * @property {ProblemBody | null} [problem] - why it is `failed`
 * @property {number} seed
 * @property {string} score
 * @property {number} seconds
 * @property {Record<string, string>} versions
 * @property {ImageBody} image
 * @property {InputBody[]} inputs
 * @property {PanelBody[]} panels
 * @property {MissingPanelBody[]} [missing] - the panels that were asked for and are not there (yet); absent where
 *   all are there
 */

/**
 * @typedef {object} FieldError
 * @property {string} field
 * @property {string} detail
 */

/**
 * A figure. `data` is of the model that `kind` names.
 * @typedef {object} FigureBody
 * @property {string} id
 * @property {"lines" | "bars" | "histogram" | "matrix" | "heatmap" | "contour" | "graph" | "table" | "grids"} kind
 * @property {string} title
 * @property {LinesData | BarsData | HistogramData | MatrixData | HeatmapData | ContourData | GraphData | TableData
 *   | GridsData} data
 */

/**
 * @typedef {object} Finding
 * @property {string} code
 * @property {"support" | "doubt" | "note"} level
 * @property {string} detail
 * @property {Record<string, any>} values
 * @property {string} url - the page that explains the metric
 */

/**
 * @typedef {object} FlowLayer
 * @property {string} name - the module's; with the operation after a colon where it is no module's output
 * @property {string} kind - the module's type, or the operation
 * @property {string} operation
 * @property {number} call - 1, or more where a module is called again
 * @property {number[]} shape - of the output, without the pictures' axis
 * @property {number | null} norm - L2 norm of the score's gradient there; null where it is not finite
 * @property {number | null} rms - the norm over the root of the number of elements
 * @property {number | null} dead - share of outputs that are exactly 0 with slope 0; null but for rectifiers
 * @property {number | null} dead_units - share of channels, or units, that are dead at every place
 * @property {number | null} saturated - share of outputs at another flat end: slope 0, or at most 1 % of the
 *   steepest; null where there is none
 * @property {PoolingBody | null} pooling
 * @property {number[]} into - places in this list of the layers that take its output
 * @property {boolean} [sum] - whether it takes, or is, a sum of several layers' outputs, as of a residual
 */

/**
 * @typedef {object} FoundClass
 * @property {number} index
 * @property {string} label
 * @property {string} [name] - in the language that was asked for; absent where none is known
 */

/**
 * @typedef {object} GradientFlow
 * @property {string} model
 * @property {ClassBody} target
 * @property {ClassBody | null} against
 * @property {string} score
 * @property {number[]} size - height, width of what the model saw
 * @property {FlowLayer[]} layers - in the order in which they are computed; the picture first
 * @property {Finding[]} findings - where the gradient vanishes, in plain words
 */

/**
 * @typedef {object} GraphData
 * @property {Node[]} nodes - each after its inputs; the last is the result
 */

/**
 * One of the grids of numbers of a figure. `id` is the key of its title in the experiment's texts.
 * @typedef {object} Grid
 * @property {string} id
 * @property {string} [title]
 * @property {((number | null)[])[]} values
 * @property {string | null} [parameter] - the parameter that is edited in it, if any
 * @property {number} [border] - cells of padding that are shown around it; their rows begin below 0
 * @property {string} [outside] - what stands in the border
 * @property {boolean} [sums] - its values are the sum of what the steps add
 */

/**
 * Grids that stand side by side, under a heading.
 * @typedef {object} GridGroup
 * @property {string} id
 * @property {string} [title]
 * @property {Grid[]} grids
 */

/**
 * A step through the grids. `id` is the key of its sentence, `numbers` are filled in.
 * @typedef {object} GridStep
 * @property {string} id
 * @property {string} [text]
 * @property {Record<string, number | string | null>} [numbers]
 * @property {Cells[]} [cells]
 */

/**
 * Grids that belong together, and steps through them. A grid with `sums` shows what the steps so far have added.
 * @typedef {object} GridsData
 * @property {GridGroup[]} groups
 * @property {GridStep[]} [steps]
 */

/**
 * @typedef {object} Health
 * @property {string} status
 */

/**
 * Numbers in a grid as colours: `values[row][column]`, row 0 on top.
 * @typedef {object} HeatmapData
 * @property {Axis} x
 * @property {Axis} y
 * @property {number[]} columns - the place of each column along x
 * @property {number[]} rows - the place of each row along y
 * @property {string[]} [names] - of the rows, where they are no numbers
 * @property {((number | null)[])[]} values
 * @property {"linear" | "log"} [scale]
 * @property {boolean} [signed] - whether zero is in the middle of the colours
 */

/**
 * `series[].y` counts what lies between `edges[i]` and `edges[i + 1]`; `series[].x` is empty.
 * @typedef {object} HistogramData
 * @property {Axis} x
 * @property {number[]} edges
 * @property {Axis | null} [y] - the axis of the counts; a linear one where there is none
 * @property {Series[]} series
 */

/**
 * @typedef {object} ImageBody
 * @property {number} width
 * @property {number} height
 */

/**
 * @typedef {object} InputBody
 * @property {string} model
 * @property {number[]} size - height, width
 * @property {"crop" | "pad" | "squash"} fit
 * @property {number[]} crop - x0, y0, x1, y1 in pixels of the upright original; beyond its edges where it was
 *   padded
 * @property {string} url
 * @property {PredictedClass[]} predictions
 * @property {PredictedClass[]} [targets] - the classes that were asked for by their index
 * @property {NoteBody[]} [notes] - what is to be known of the network before its maps are read; absent where there
 *   is nothing
 */

/**
 * @typedef {object} LayerBody
 * @property {string} name
 * @property {number[]} shape - channels, height, width for a picture of the model's input size
 * @property {boolean} default
 */

/**
 * @typedef {object} LinesData
 * @property {Axis} x
 * @property {Axis} y
 * @property {Series[]} series
 */

/**
 * Numbers in a grid, to be read one by one. `parameter` names the parameter that it edits, if any.
 * @typedef {object} MatrixData
 * @property {((number | null)[])[]} values
 * @property {string[]} [rows]
 * @property {string[]} [columns]
 * @property {string | null} [parameter]
 * @property {boolean} [switches] - each number is 0 or 1, and a press switches it
 */

/**
 * @typedef {object} MeasurementBody
 * @property {string} metric
 * @property {"done" | "refused" | "failed"} status
 * @property {Record<string, any>} parameters
 * @property {MetricCost | null} cost
 * @property {number} seconds - that the computation took, in this request or in the earlier one that stored it
 * @property {boolean} from_store - whether it came from the store, and was not computed again
 * @property {Record<string, any> | null} figures
 * @property {Finding[]} findings - what the figures say, in plain words
 * @property {Record<string, string>} maps - addresses of the arrays made on the way
 * @property {ProblemBody | null} problem
 */

/**
 * @typedef {object} MethodBody
 * @property {string} id
 * @property {string} title
 * @property {number} year
 * @property {string} family - what it is built on: gradient, path, cam, rule, attention, perturbation or other
 * @property {PaperBody} paper
 * @property {string} summary
 * @property {string[]} strengths
 * @property {string[]} weaknesses
 * @property {boolean} default - computed if a request names no methods
 * @property {Record<string, any>} parameters - JSON Schema
 * @property {Record<string, Record<string, any>>} [qualities] - parameters for `quality`: quick, good and exact;
 *   empty where it changes nothing
 */

/**
 * @typedef {object} Methods
 * @property {MethodBody[]} methods
 */

/**
 * @typedef {object} MetricBody
 * @property {string} id
 * @property {string} title
 * @property {PaperBody} paper
 * @property {string} summary
 * @property {Record<string, any>} parameters - JSON Schema
 */

/**
 * @typedef {object} MetricCost
 * @property {number} forwards - evaluations of one picture without a gradient
 * @property {number} gradients
 */

/**
 * @typedef {object} MetricEstimate
 * @property {string} metric
 * @property {number} forwards
 * @property {number} gradients
 * @property {number | null} seconds - from what was measured on this model, or timed for this estimate; null if
 *   neither was possible
 */

/**
 * What came of a metric of a panel.
 * @typedef {object} MetricEvent
 * @property {string} panel
 * @property {MeasurementBody} metric
 */

/**
 * @typedef {object} Metrics
 * @property {MetricBody[]} metrics
 */

/**
 * A panel that was asked for and has not been computed.
 * @typedef {object} MissingPanelBody
 * @property {string} model
 * @property {string} method
 * @property {ClassBody | null} target
 * @property {ClassBody | null} against
 * @property {Record<string, any>} parameters
 */

/**
 * @typedef {object} ModelBody
 * @property {string} id
 * @property {string} title
 * @property {string} architecture
 * @property {string} source
 * @property {string} licence
 * @property {string} url
 * @property {PaperBody | null} paper
 * @property {number | null} accuracy - top-1 accuracy on the data set that it was trained for, in percent
 * @property {number[]} input_size - height, width
 * @property {number} channels - 3: RGB, 1: grey
 * @property {"crop" | "pad" | "squash"} fit - how a picture with another aspect ratio is fitted to that size
 * @property {number} classes
 * @property {number | null} parameters
 * @property {"ready" | "downloadable" | "missing"} availability
 * @property {string | null} remedy - how to get the weights; null if they are ready
 * @property {WeightsBody} weights
 * @property {LayerBody[] | null} layers - null until the model has been loaded once
 * @property {NoteBody[]} [notes] - what is to be known of the network; empty until it has been loaded once
 */

/**
 * @typedef {object} Models
 * @property {string} default
 * @property {"none" | "cards" | "any"} downloads - what POST /models/{id}/weights may download
 * @property {ModelBody[]} models
 * @property {CardFault[]} faults - cards that cannot be used, and why
 */

/**
 * A value in a computation: what was computed, and the gradient that arrived.
 * @typedef {object} Node
 * @property {string} id
 * @property {string} title
 * @property {number | null} [value]
 * @property {number | null} [gradient]
 * @property {string[]} [inputs] - ids of the nodes that it is computed from
 * @property {(number | null)[]} [shares] - what it sends back to each input; the input adds them up
 */

/**
 * A sentence about a map, or about a network, that a reader should know.
 * @typedef {object} NoteBody
 * @property {string} code
 * @property {string} detail - the sentence, in English
 * @property {Record<string, any>} [values] - the numbers and names in the sentence; absent where there are none
 */

/**
 * @typedef {object} PanelBody
 * @property {string} id
 * @property {"done" | "refused" | "failed"} status
 * @property {string} model
 * @property {string} method
 * @property {ClassBody | null} target - null where none was asked for and the model was not available
 * @property {ClassBody | null} against
 * @property {Record<string, any>} parameters
 * @property {number[] | null} shape
 * @property {Statistics | null} statistics
 * @property {Record<string, any>} diagnostics - what the method reports beside its map (`completeness`,
 *   `standard_error`, `layer`, …), and `engine`, what has computed it: see EngineBody
 * @property {NoteBody[]} [notes] - what a reader should know, such as why a map is zero everywhere; absent where
 *   there is nothing
 * @property {number} seconds - that the computation took, in this request or in the earlier one that stored it
 * @property {boolean} from_store - whether it came from the store, and was not computed again
 * @property {PanelUrls} urls
 * @property {Record<string, MeasurementBody>} [metrics] - what was measured of the map
 * @property {ProblemBody | null} problem
 */

/**
 * What came of a panel; its map summed over channels with sign.
 * @typedef {object} PanelEvent
 * @property {PanelBody} panel
 * @property {EncodedMap | null} [map]
 */

/**
 * @typedef {object} PanelUrls
 * @property {string | null} npy
 * @property {string | null} png
 */

/**
 * @typedef {object} PaperBody
 * @property {string} title
 * @property {string} url
 */

/**
 * A panel's map so far, summed over channels with sign, at most 112 pixels on a side.
 * @typedef {object} PartialEvent
 * @property {string} panel
 * @property {number} done
 * @property {number} total
 * @property {EncodedMap} map
 */

/**
 * @typedef {object} PlannedMetric
 * @property {string} metric
 * @property {number} forwards
 * @property {number} gradients
 */

/**
 * @typedef {object} PlannedPanelBody
 * @property {string} id
 * @property {string} model
 * @property {string} method
 * @property {number | null} target - null where the model was not available and no class was asked for
 * @property {number} cost - gradient evaluations, or forward passes of methods that take no gradient
 * @property {PlannedMetric[]} [metrics]
 */

/**
 * @typedef {object} PoolingBody
 * @property {"maximum" | "average"} how
 * @property {number} received - share of its inputs whose gradient is not 0
 * @property {number[][] | null} map - the same by place, as rows of cells; null where the input is no feature map
 * @property {ExcerptBody | null} [excerpt] - what goes in, for a few windows; null where it is unknown, or windows
 *   are not square
 */

/**
 * @typedef {object} PredictedClass
 * @property {number} index
 * @property {string} label
 * @property {number} probability
 * @property {number} logit
 */

/**
 * @typedef {object} Prediction
 * @property {string} model
 * @property {PredictedClass[]} classes
 */

/**
 * What a model sees and predicts, best first.
 * @typedef {object} PredictionEvent
 * @property {string} model
 * @property {InputBody} input
 * @property {PredictedClass[]} predictions
 */

/**
 * @typedef {object} Predictions
 * @property {Prediction[]} predictions
 */

/**
 * RFC 9457.
 * @typedef {object} ProblemBody
 * @property {string} type
 * @property {string} title
 * @property {number} status
 * @property {string} detail
 * @property {string} [code] - what `detail` says, for programs; absent where there is none
 * @property {Record<string, string | number>} [values] - the values in `detail`, by their names
 * @property {FieldError[]} [errors]
 * @property {number | null} [retry_after]
 * @property {string | null} [request_id]
 */

/**
 * `done` of `total` evaluations of a panel, or of a metric of its map.
 * @typedef {object} ProgressEvent
 * @property {string} panel
 * @property {string | null} [metric]
 * @property {number} done
 * @property {number} total
 */

/**
 * @typedef {object} SampleBody
 * @property {string} id
 * @property {string} title
 * @property {string} url
 * @property {string} credit
 * @property {string} licence
 */

/**
 * @typedef {object} Samples
 * @property {SampleBody[]} samples
 */

/**
 * Points (x, y) of one colour. `low` and `high` bound an interval around each, where there is one.
 * @typedef {object} Series
 * @property {string} id
 * @property {string} [title]
 * @property {(number | null)[]} x
 * @property {(number | null)[]} y
 * @property {(number | null)[]} [low]
 * @property {(number | null)[]} [high]
 * @property {"line" | "points" | "dashed"} [style] - dashed: what a theory says
 */

/**
 * @typedef {object} SessionBody
 * @property {string} name - whose key it is
 */

/**
 * @typedef {object} Statistics
 * @property {number} min
 * @property {number} max
 * @property {number} sum
 */

/**
 * @typedef {object} TableData
 * @property {string[]} columns
 * @property {((string | number | null)[])[]} rows
 */

/**
 * Parameters that show something worth seeing.
 * @typedef {object} TryBody
 * @property {string} id
 * @property {string} title
 * @property {Record<string, any>} parameters
 */

/**
 * @typedef {object} WeightsBody
 * @property {string} file
 * @property {number | null} bytes
 * @property {string | null} sha256 - the file's hash, or its first digits; null if unknown
 */

export {};
