// What of the view stands in the address. A field is one line: its key there, its place in the state, how it is written,
// and whether a value fits the state (null: not known yet, it waits). A value that differs from a fresh page's is written.

import { DEFAULT, REDUCTIONS, SCALES, SHOWS } from "../rendering/settings.js";
import { filledRows, sameRow } from "../state/rows.js";
import { store } from "../state/store.js";
import { list, number, oneOf, row, word } from "./codecs.js";

const fresh = { ...store.state, rendering: DEFAULT };

const at = (state, path) => path.reduce((part, name) => part?.[name], state);

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function put(draft, [name, ...rest], value) {
  return { ...draft, [name]: rest.length ? put(draft[name], rest, value) : value };
}

function field(key, place, codec, fits = () => true) {
  const path = place.split(".");
  const start = at(fresh, path);
  return {
    key,
    fits,
    start,
    slice: path[0],
    /** A part of the page that is not there has no field. */
    there: start !== undefined,
    parse: codec.parse,
    /** The value as text; null where it is a fresh page's. */
    text: (value) => (value === undefined || value === null || same(value, start) ? null : codec.format(value)),
    read: (state) => at(state, path),
    write: (draft, value) => put(draft, path, value),
  };
}

const palette = (value, { palettes }) => (palettes ? value in palettes : null);
const settled = ({ phase }) => phase !== "loading" && phase !== "running";
const panels = (ids, state) => (settled(state) ? ids.every((id) => state.panels.some((panel) => panel.id === id)) : null);
const filled = (key, state) => (settled(state) ? filledRows(state).some((row) => sameRow(row.key, key)) : null);
const panel = (id, state) => panels([id], state);

const place = number({ digits: 1 });

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
  field("centre", "viewport.centre", list(place, 2)),
  field("cross", "viewport.cross", list(place, 2)),
  field("box", "viewport.box", list(place, 4)),
  field("compare", "viewport.compare", list(word, 2), panels),
  field("split", "viewport.split", number({ min: 0, max: 1, digits: 3 })),
  field("panel", "viewport.panel", word, panel),
  field("rows", "layout.rows", list(row)),
  field("hide-rows", "layout.hiddenRows", list(row)),
  field("hide", "layout.hiddenMethods", list(word)),
  field("row", "row", row),
  field("full", "viewedPanel", word, panel),
  field("flow", "flowRow", row, filled),
  field("trust", "metricsPanel", word, panel),
].filter(({ there }) => there);
