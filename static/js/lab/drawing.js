// What a kind of figure makes of its data.

/** @typedef {{ name: string, kind: string, value: string }} Read */

/**
 * What the pointer or the keyboard reads along one axis: `at` has the place that is nearest to a point of the drawing,
 * `mark` shows it there.
 * @typedef {object} Reading
 * @property {string} title
 * @property {number} count
 * @property {(left: number, top: number) => number} at
 * @property {(index: number, all: number[]) => void} mark
 * @property {(index: number, all: number[]) => { place: string, values: Read[] }} text
 * @property {boolean} [steps] - it goes through steps, so its slider is always there
 * @property {number} [first] - where it begins; nothing is marked before it is read, unless it has one
 */

/**
 * @typedef {object} Drawing
 * @property {Element} root - an svg, or an element of the page
 * @property {Reading[]} readings - of its axes; the text and the marks of the last one count
 */

export {};
