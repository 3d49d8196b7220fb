// Measures the room that the maps have beside the picture and above the tool bar, and lays them out in it.

import { WIDE } from "../shared/screens.js";
import { GAP, layoutOf, SCALE, TEXT, usedWidth } from "./map-layout.js";

/** @import { MapLayout, Room } from "./map-layout.js" */

/** @type {("beside" | "short" | "scrolls")[]} */
const WAYS = ["beside", "short", "scrolls"];

const SIDE = { share: 0.2, least: 272, most: 320 }; // the width of the side (picture and question), as in layout.css
const AROUND = 48 + 32; // left and right of the bench (side and maps), and between the two
const ABOVE = 53 + 60; // the page's head, and that of the grid in two lines
const BAR = 45;
const BELOW = 6; // between the last line of facts and the tool bar
const HEAD = 880; // the least width for the maps: question and actions in a line, and most of the tool bar
const SLACK = 36; // for maps that are a little larger where the head takes one line

/** @param {number} width - of the window */
const sideWidth = (width) => Math.min(Math.max(SIDE.share * width, SIDE.least), SIDE.most);

/**
 * The width for the maps; the side takes what they do not need. It follows from the window alone: were it to follow from
 * the room as measured, the head of the grid, which takes a line or two by this width, would change it in turn.
 * @param {Room} view - the window
 * @param {number} count
 * @param {number} ratio
 */
export function widthForMaps({ width, height }, count, ratio) {
  const room = { width: Math.floor(width - AROUND - sideWidth(width)), height: height - ABOVE - BAR - BELOW };
  const used = usedWidth(layoutOf(room, count, ratio), room);
  return Math.min(room.width, Math.max(used + SLACK, HEAD));
}

/**
 * Writes a layout where the style sheet reads it.
 * @param {HTMLElement} panels
 * @param {MapLayout} layout
 * @param {number} ratio
 */
function applyLayout(panels, layout, ratio) {
  const { columns, size } = layout;
  /** @type {Record<string, string>} */
  const properties = {
    "--columns": String(columns),
    "--size": `${size}px`,
    "--panel": `${Math.round(size / ratio + SCALE)}px`,
    "--text": `${TEXT}px`,
    "--across-gap": `${GAP.across}px`,
    "--down-gap": `${GAP.down}px`,
  };
  for (const [name, value] of Object.entries(properties)) panels.style.setProperty(name, value);
  for (const name of WAYS) panels.toggleAttribute(`data-${name}`, layout[name]);
}

/**
 * Lays out the only row of a stack in the room that `body` has; several rows (`panels` is null) take all the width there is.
 * In a narrow window the style sheets alone do that, and nothing is measured.
 * @param {HTMLElement} body
 * @param {HTMLElement | null} panels
 * @param {number} count
 * @param {number} ratio
 */
export function fitMaps(body, panels, count, ratio) {
  if (!WIDE.matches) {
    for (const name of WAYS) panels?.removeAttribute(`data-${name}`);
    return;
  }
  const bench = /** @type {HTMLElement | null} */ (body.closest(".bench"));
  if (!bench?.clientWidth) return;
  const window = { width: bench.clientWidth, height: innerHeight };
  const width = panels ? widthForMaps(window, count, ratio) : window.width - AROUND - sideWidth(window.width);
  bench.style.setProperty("--maps", `${Math.floor(width)}px`);
  const { height } = body.getBoundingClientRect();
  if (panels && height > 0) applyLayout(panels, layoutOf({ width: Math.floor(width), height: Math.floor(height) - BELOW }, count, ratio), ratio);
}
