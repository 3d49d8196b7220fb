// The keyboard on a map lens, which shows one map: the crosshair pixel by pixel, the zoom, the box.

import { mapOf } from "../rendering/draw.js";
import { announce } from "../shared/announce.js";
import { commandOf } from "../shared/keys.js";
import { setTool, setViewport } from "../state/actions.js";
import { store } from "../state/store.js";
import { dab, toggleMaskTool } from "./brush.js";
import { boxBetween, clamp, middleOf, pannedToShow, pixelAt, toPanel, toPicture } from "./geometry.js";
import { spokenReadout } from "./readout.js";
import { compareWith, resetZoom, zoomBy } from "./viewport.js";

/** @import { MapLens } from "./map-lens.js" */

/** @type {Record<string, number[]>} */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOM_STEP = 1.5;
const PAUSE_MS = 250; // a held key is not read out at every pixel

let announceTimer = 0;

/** @param {MapLens} lens */
function announceReadout(lens) {
  clearTimeout(announceTimer);
  announceTimer = setTimeout(() => announce(spokenReadout(lens)), PAUSE_MS);
}

/**
 * Moves the crosshair by pixels of this panel; the first press brings it to the middle of what is shown.
 * @param {MapLens} lens
 * @param {number[]} direction
 * @param {boolean} far - by ten pixels
 */
function move(lens, [across, down], far) {
  const { viewport } = store.state;
  const { panel, rendering, crop } = lens;
  const map = mapOf(panel, rendering);
  if (!map) return;
  const at = viewport.cross && pixelAt(toPanel(viewport.cross, crop), map);
  const from = at ?? pixelAt(viewport.centre ? toPanel(viewport.centre, crop) : [0.5, 0.5], map) ?? { x: 0, y: 0 };
  const by = at ? (far ? 10 : 1) : 0;
  const pixel = { x: clamp(from.x + by * across, 0, map.width - 1), y: clamp(from.y + by * down, 0, map.height - 1) };
  const cross = toPicture(middleOf(pixel, map), crop);
  setViewport({ cross, panel: panel.id, ...pannedToShow(viewport, crop, cross) });
  announceReadout(lens);
}

/**
 * The first corner of a box that is being marked: B, then the arrows, then B.
 * @type {number[] | null}
 */
let corner = null;

/** Of which picture the corner is: in another one it is none. */
let cornerOf = "";

function markCorner() {
  const { viewport: { cross }, picture } = store.state;
  if (!cross) return;
  if (cornerOf !== picture?.key) corner = null;
  cornerOf = picture?.key ?? "";
  const box = corner && boxBetween(corner, cross);
  corner = box ? null : cross;
  if (box) setViewport({ box });
}

/** Puts the brush away, then takes the crosshair away, then box or mask. */
function clear() {
  const { viewport: { cross, box, mask }, tool } = store.state;
  corner = null;
  if (tool) setTool(null);
  else if (cross || box || mask) setViewport({ cross: null, ...(!cross && { box: null, mask: null }) });
}

/** Whether `clear` has anything to do. */
function isAnythingMarked() {
  const { viewport: { cross, box, mask }, tool } = store.state;
  return Boolean(cross || box || mask || tool);
}

/**
 * What each command of the map's keys does (shared/keys.js).
 * @type {Record<string, (lens: MapLens, key: string) => void>}
 */
const COMMANDS = {
  move: (lens, key) => move(lens, DIRECTIONS[key], false),
  far: (lens, key) => move(lens, DIRECTIONS[key], true),
  larger: () => zoomBy(ZOOM_STEP),
  smaller: () => zoomBy(1 / ZOOM_STEP),
  whole: resetZoom,
  corner: markCorner,
  mask: toggleMaskTool,
  paint: () => {
    clearTimeout(announceTimer); // what the crosshair reads would come after the mask, and be heard in its place
    dab();
  },
  compare: (lens) => compareWith(lens.panel),
  open: (lens) => lens.fullscreen || lens.dispatchEvent(new CustomEvent("open")),
  clear,
};

/**
 * Whether a key is left to what is around the map: Escape, if there is nothing to clear or the map is in full screen;
 * Space without a brush.
 * @param {string} command
 * @param {MapLens} lens
 */
const isLeft = (command, { fullscreen }) => (command === "clear" && (fullscreen || !isAnythingMarked())) || (command === "paint" && store.state.tool !== "mask");

/**
 * @param {MapLens} lens
 */
export function listenForKeys(lens) {
  lens.addEventListener("keydown", (event) => {
    if (!lens.ready || event.target !== lens || event.ctrlKey || event.metaKey || event.altKey) return;
    const command = commandOf("map", event);
    if (!command || isLeft(command, lens)) return;
    COMMANDS[command](lens, event.key);
    event.preventDefault();
    event.stopPropagation(); // in full screen, arrows would also go to the next map
  });
}
