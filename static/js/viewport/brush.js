// The brush that a mask is drawn with, by pointer and by keys, on a map or on the picture.

import { cellsOf, painted } from "../arrays/mask.js";
import { announce } from "../shared/announce.js";
import * as format from "../shared/format.js";
import { commandOf, takesText } from "../shared/keys.js";
import { t } from "../shared/texts.js";
import { setBrush, setTool, setViewport } from "../state/actions.js";
import { store } from "../state/store.js";
import { clamp } from "./geometry.js";

/** @import { Cells, Mask } from "../arrays/mask.js" */

const CELLS = 512; // along the longer side of the picture
export const SIZES = { min: 1, max: 40 };
const FACTOR = 1.25; // by which a key changes the size

/**
 * The grid of a mask that is begun; null before the picture's size is known.
 * @returns {Cells | null}
 */
function freshGrid() {
  const { width, height } = store.state.picture ?? {};
  if (!width || !height) return null;
  const scale = CELLS / Math.max(width, height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)), place: [0, 0, width, height] };
}

/** The brush's radius, in pixels of the picture; its size is a diameter in per cent of the longer side. */
export function brushRadius() {
  const { picture, brush } = store.state;
  return (Math.max(picture?.width ?? 0, picture?.height ?? 0) * brush.size) / 200;
}

/**
 * A stroke in a straight line, or a dab; places are pixels of the original.
 * @param {number[]} from
 * @param {number[]} to
 */
export function stroke(from, to = from) {
  const { viewport, brush } = store.state;
  const grid = viewport.mask ?? freshGrid();
  if (grid) setViewport({ mask: painted(grid, from, to, brushRadius(), brush.erase) });
}

/**
 * The area of a mask, as a share of its grid.
 * @param {Mask} mask
 */
export const areaOfMask = (mask) => cellsOf(mask).reduce((sum, cell) => sum + cell, 0) / (mask.width * mask.height);

/** A dab at the crosshair. */
export function dab() {
  const { cross } = store.state.viewport;
  if (!cross) return;
  stroke(cross);
  const { mask } = store.state.viewport;
  announce(mask ? t("mask.heard", { area: format.percent(areaOfMask(mask)) }) : t("mask.heard.empty"));
}

export const toggleMaskTool = () => setTool(store.state.tool === "mask" ? null : "mask");

/** @param {number} size */
const resize = (size) => setBrush({ size: clamp(Math.round(size), SIZES.min, SIZES.max) });

/** @type {Record<string, () => void>} */
const COMMANDS = {
  smaller: () => resize(Math.min(store.state.brush.size - 1, store.state.brush.size / FACTOR)),
  larger: () => resize(Math.max(store.state.brush.size + 1, store.state.brush.size * FACTOR)),
  erase: () => setBrush({ erase: !store.state.brush.erase }),
};

// Whoever draws has the focus anywhere: these keys count on all of the page, while a mask is drawn.
addEventListener("keydown", (event) => {
  if (store.state.tool !== "mask" || event.ctrlKey || event.metaKey || event.altKey || takesText(event.target)) return;
  const command = commandOf("brush", { key: event.key.toLowerCase(), shiftKey: event.shiftKey });
  if (!command) return;
  COMMANDS[command]();
  event.preventDefault();
});
