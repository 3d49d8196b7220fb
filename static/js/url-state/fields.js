// What of the view stands in the address. A field is one line: its key there, its place in the state, how it is written,
// and whether a value fits the state (null: not known yet, the value is tried again later). Only values that differ from
// a fresh page's are written.

import { DEFAULT, REDUCTIONS, SCALES, SHOWS } from "../rendering/settings.js";
import { rowsWithPanels, sameRow } from "../state/rows.js";
import { store } from "../state/store.js";
import { list, mask, number, oneOf, row, word } from "./codecs.js";

/**
 * @import { State } from "../state/types.js"
 * @import { Codec } from "./codecs.js"
 */

/**
 * A field; `fits` says whether a value fits the state, null where that is not known yet.
 * @typedef {ReturnType<typeof field>} Field
 * @typedef {(value: any, state: State) => boolean | null} Fits
 */

const fresh = { ...store.state, rendering: DEFAULT };

/** @type {(state: any, path: string[]) => any} */
const at = (state, path) => path.reduce((part, name) => part?.[name], state);

/** @type {(a: any, b: any) => boolean} */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/**
 * @param {any} draft
 * @param {string[]} path
 * @param {any} value
 * @returns {any}
 */
function put(draft, [name, ...rest], value) {
  return { ...draft, [name]: rest.length ? put(draft[name], rest, value) : value };
}

/**
 * @param {string} key
 * @param {string} statePath
 * @param {Codec} codec
 * @param {Fits} fits
 */
function field(key, statePath, codec, fits = () => true) {
  const path = statePath.split(".");
  const start = at(fresh, path);
  return {
    key,
    fits,
    start,
    /** The part of the state that has to be watched for it. */
    slice: /** @type {keyof State} */ (path[0]),
    /** False where the state has no such place; the field is then left out. */
    there: start !== undefined,
    parse: codec.parse,
    /** The value as text; null where it is a fresh page's. */
    text: (/** @type {any} */ value) => (value === undefined || value === null || same(value, start) ? null : codec.format(value)),
    read: (/** @type {State} */ state) => at(state, path),
    write: (/** @type {State} */ draft, /** @type {any} */ value) => /** @type {State} */ (put(draft, path, value)),
  };
}

/** @type {Fits} */
const palette = (value, { palettes }) => (palettes ? value in palettes : null);
/** @param {State} state */
const settled = ({ phase }) => phase !== "loading" && phase !== "running";
/** @type {Fits} */
const panels = (ids, state) => (settled(state) ? ids.every((/** @type {string} */ id) => state.panels.some((panel) => panel.id === id)) : null);
/** @type {Fits} */
const rowWithPanels = (key, state) => (settled(state) ? rowsWithPanels(state).some((row) => sameRow(row.key, key)) : null);
/** @type {Fits} */
const panel = (id, state) => panels([id], state);
/** @type {Fits} */
const anyPanels = (_, state) => (settled(state) ? state.panels.length > 0 : null);

/** One of the two may be the picture. @type {Fits} */
const compared = (ids, state) => {
  const maps = ids.filter((/** @type {string} */ id) => id !== "picture");
  return maps.length > 0 && panels(maps, state);
};

const coordinate = number({ digits: 1 });

export const FIELDS = [
  field("reduce", "rendering.reduction", oneOf(REDUCTIONS)),
  field("palette", "rendering.palettes.unsigned", word, palette),
  field("signed-palette", "rendering.palettes.signed", word, palette),
  field("clip", "rendering.percentile", number({ min: 50, max: 100 })),
  field("scale", "rendering.scale", oneOf(SCALES)),
  field("overlay", "rendering.overlay", number({ min: 0, max: 100 })),
  field("show", "rendering.show", oneOf(SHOWS)),
  field("top", "rendering.top", number({ min: 0.1, max: 100 })),
  field("zoom", "viewport.zoom", number({ min: 1, max: 16, digits: 2 })),
  field("centre", "viewport.centre", list(coordinate, 2)),
  field("cross", "viewport.cross", list(coordinate, 2)),
  field("box", "viewport.box", list(coordinate, 4)),
  field("mask", "viewport.mask", mask),
  field("compare", "viewport.compare", list(word, 2), compared),
  field("how", "viewport.how", oneOf(["side", "wipe", "blink"])),
  field("wipe", "viewport.wipe", number({ min: 0, max: 1, digits: 3 })),
  field("split", "viewport.split", number({ min: 0, max: 1, digits: 3 })),
  field("panel", "viewport.panel", word, panel),
  field("rows", "layout.rows", list(row)),
  field("hide-rows", "layout.hiddenRows", list(row)),
  field("hide", "layout.hiddenMethods", list(word)),
  field("row", "row", row),
  field("full", "viewedPanel", word, panel),
  field("flow", "flowRow", row, rowWithPanels),
  field("checks", "checksTable", oneOf(["open"]), anyPanels),
  field("trust", "metricsPanel", word, panel),
].filter(({ there }) => there);
