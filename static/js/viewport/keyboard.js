// The keyboard on a map: the crosshair pixel by pixel, the zoom, the box.

import { mapOf } from "../rendering/draw.js";
import { announce } from "../shared/announce.js";
import { setViewport } from "../state/actions.js";
import { store } from "../state/store.js";
import { boxBetween, bringingIn, clamp, middleOf, pixelAt, toPanel, toPicture } from "./geometry.js";
import { heardOf } from "./readout.js";
import { compareWith, resetZoom, zoomBy } from "./viewport.js";

/** @import { MapLens } from "./map-lens.js" */

/** @type {Record<string, number[]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 1.5;
const PAUSE_MS = 250; // a held key is not read out at every pixel

let telling = 0;

/** @param {MapLens} lens */
function tell(lens) {
  clearTimeout(telling);
  telling = setTimeout(() => announce(heardOf(lens)), PAUSE_MS);
}

/**
 * Moves the crosshair by pixels of this panel; the first press brings it to the middle of what is shown.
 * @param {MapLens} lens
 * @param {number[]} by
 * @param {boolean} far
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
  setViewport({ cross, panel: panel.id, ...bringingIn(viewport, crop, cross) });
  tell(lens);
}

/**
 * B, then the arrows, then B: the corners of a box.
 * @type {number[] | null}
 */
let corner = null;

function mark() {
  const { cross } = store.state.viewport;
  if (!cross) return;
  const box = corner && boxBetween(corner, cross);
  corner = box ? null : cross;
  if (box) setViewport({ box });
}

/** @type {Record<string, (lens: MapLens) => void>} */
const COMMANDS = {
  "+": () => zoomBy(STEP),
  "=": () => zoomBy(STEP),
  "-": () => zoomBy(1 / STEP),
  0: resetZoom,
  b: mark,
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
    event.stopPropagation(); // arrows here do not also turn to the next map
  });
}
