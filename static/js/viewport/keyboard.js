// The keyboard on a map lens, which shows one map: the crosshair pixel by pixel, the zoom, the box.

import { mapOf } from "../rendering/draw.js";
import { announce } from "../shared/announce.js";
import { setViewport } from "../state/actions.js";
import { store } from "../state/store.js";
import { boxBetween, clamp, middleOf, pannedToShow, pixelAt, toPanel, toPicture } from "./geometry.js";
import { spokenReadout } from "./readout.js";
import { compareWith, resetZoom, zoomBy } from "./viewport.js";

/** @import { MapLens } from "./map-lens.js" */

/** @type {Record<string, number[]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
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
 * B, then the arrows, then B: the corners of a box.
 * @type {number[] | null}
 */
let corner = null;

function markCorner() {
  const { cross } = store.state.viewport;
  if (!cross) return;
  const box = corner && boxBetween(corner, cross);
  corner = box ? null : cross;
  if (box) setViewport({ box });
}

/** @type {Record<string, (lens: MapLens) => void>} */
const COMMANDS = {
  "+": () => zoomBy(ZOOM_STEP),
  "=": () => zoomBy(ZOOM_STEP),
  "-": () => zoomBy(1 / ZOOM_STEP),
  0: resetZoom,
  b: markCorner,
  c: (lens) => compareWith(lens.panel),
  Enter: (lens) => lens.fullscreen || lens.dispatchEvent(new CustomEvent("open")),
};

/**
 * @param {MapLens} lens
 */
export function listenForKeys(lens) {
  lens.addEventListener("keydown", (event) => {
    if (!lens.ready || event.target !== lens || event.ctrlKey || event.metaKey || event.altKey) return;
    const { cross, box } = store.state.viewport;
    if (event.key in ARROWS) move(lens, ARROWS[event.key], event.shiftKey);
    else if (event.key === "Escape" && (cross || box) && !lens.fullscreen) setViewport({ cross: null, ...(!cross && { box: null }) });
    else if (event.key in COMMANDS) COMMANDS[event.key](lens);
    else return;
    event.preventDefault();
    event.stopPropagation(); // in full screen, arrows would also go to the next map
  });
}
