// Measures the room that the maps have beside the picture and above the tool bar, and lays them out in it.

import { GAP, layoutOf, SCALE, TEXT, usedWidth } from "./map-layout.js";

/** @import { MapLayout } from "./map-layout.js" */

const SIDE = { share: 0.2, least: 272, most: 320 }; // as in layout.css
const AROUND = 48 + 32; // left and right of the bench, and between side and maps
const HEAD = 880; // question and actions in a line, and most of the tool bar

/** @param {number} width - of the window */
export const sideWidth = (width) => Math.min(Math.max(SIDE.share * width, SIDE.least), SIDE.most);

/**
 * The room for maps within `body`: all that the narrowest side leaves, whatever the grid takes now.
 * @param {HTMLElement} body
 * @param {HTMLElement} bench
 */
export const roomIn = (body, bench) => ({ width: Math.floor(bench.clientWidth - AROUND - sideWidth(bench.clientWidth)), height: Math.floor(body.getBoundingClientRect().height) });

/**
 * Writes a layout where the style sheet reads it.
 * @param {HTMLElement} panels
 * @param {HTMLElement} bench
 * @param {MapLayout} layout
 * @param {{ width: number, height: number }} room
 * @param {number} ratio
 */
export function applyLayout(panels, bench, layout, room, ratio) {
  const used = usedWidth(layout, room);
  panels.style.setProperty("--columns", String(layout.columns));
  panels.style.setProperty("--size", `${layout.size}px`);
  panels.style.setProperty("--panel", `${Math.round(layout.size / ratio + SCALE)}px`);
  panels.style.setProperty("--text", `${TEXT}px`);
  panels.style.setProperty("--across-gap", `${GAP.across}px`);
  panels.style.setProperty("--down-gap", `${GAP.down}px`);
  for (const name of /** @type {const} */ (["beside", "short", "scrolls"])) panels.toggleAttribute(`data-${name}`, layout[name]);
  bench.style.setProperty("--maps", `${Math.min(room.width, Math.max(used, HEAD))}px`);
}

/**
 * Lays out the only row of a stack, now and whenever the room changes; several rows take all the width there is.
 * @param {HTMLElement} body
 * @param {HTMLElement | null} panels
 * @param {number} count
 * @param {number} ratio
 */
export function fitMaps(body, panels, count, ratio) {
  const bench = /** @type {HTMLElement | null} */ (body.closest(".bench"));
  if (!bench) return;
  const room = roomIn(body, bench);
  if (room.width <= 0 || room.height <= 0) return;
  if (panels) applyLayout(panels, bench, layoutOf(room, count, ratio), room, ratio);
  else bench.style.setProperty("--maps", `${room.width}px`);
}
