// The types of this folder, for tsc. No module loads it.

/**
 * An attribution as the server keeps it.
 * @typedef {object} RawArray
 * @property {number[]} shape - channels, height, width
 * @property {Float32Array} values
 */

/**
 * An attribution reduced over its channels.
 * @typedef {object} ReducedMap
 * @property {number} width
 * @property {number} height
 * @property {Float32Array} values
 * @property {number} low - the least value
 * @property {number} high - the largest value
 * @property {Float32Array} magnitudes - ascending
 * @property {boolean} signed
 */

/** @typedef {"sum" | "abs" | "max" | "positive" | "negative"} Reduction */

/**
 * @typedef {object} Settings
 * @property {Reduction} reduction
 * @property {{ signed: string, unsigned: string }} palettes
 * @property {number} percentile - of the magnitudes, where a map is clipped
 * @property {number} overlay - per cent of opacity
 * @property {"own" | "method" | "all"} scale - which maps have a scale in common: none, those of a method, all
 * @property {"map" | "top" | "window" | "outline" | "regions"} show - all of the map; the strongest pixels only; the picture at
 *   those pixels, all else covered; their outline on the picture; the borders of regions on the picture
 * @property {number} top - per cent of the pixels that count as the strongest
 */

/**
 * @typedef {object} Palette
 * @property {string} title
 * @property {"sequential" | "diverging"} kind
 * @property {Uint32Array} colours - 256, RGBA in the byte order of ImageData
 */

/**
 * What the two ends of a palette stand for.
 * @typedef {object} Scale
 * @property {number} low
 * @property {number} high
 * @property {boolean} symmetric
 * @property {boolean} flat - nothing differs in the map
 * @property {boolean} clipsLow
 * @property {boolean} clipsHigh
 */

/**
 * A scale as it was drawn; `threshold` is the least magnitude shown, null where all of the map is; `share` that of the
 * pixels that reach it, which is more than `top` asks for where many have the same value.
 * @typedef {Scale & { colours: Uint32Array, show: Settings["show"], top: number, threshold: number | null, share: number }} DrawnScale
 */

export {};
