// Looking closely: what the visitor points at, magnifies, marks and compares; linked over all panels.

import { arrayOf } from "../rendering/draw.js";
import { resetViewport, setViewport } from "../state/actions.js";
import { RESTING_VIEWPORT } from "../state/initial.js";
import { methodTitle } from "../state/methods.js";
import { className, inputOf, modelTitle } from "../state/models.js";
import { store } from "../state/store.js";
import { pixelAt, toPanel, zoomedAt } from "./geometry.js";

/**
 * @import { ReducedMap } from "../rendering/types.js"
 * @import { Panel } from "../state/types.js"
 */

/**
 * Where the panel's pixels lie in the upright original; before that is known, the panel is the original.
 * @param {Panel} panel
 */
export function cropOf(panel) {
  const { crop, size } = inputOf(panel) ?? {};
  if (crop) return crop;
  const [height, width] = size ?? arrayOf(panel)?.shape.slice(1) ?? [1, 1];
  return [0, 0, width, height];
}

/** The panels that have something to look at. */
export const drawable = () => store.state.panels.filter(arrayOf);

/** The panel that was looked at last, or the first that can be. */
export function currentPanel() {
  const panels = drawable();
  return panels.find(({ id }) => id === store.state.viewport.panel) ?? panels[0] ?? null;
}

/**
 * A panel's name among the others: its method, and its model and class where those differ.
 * @param {Pick<Panel, "method" | "model" | "target">} panel
 */
export function panelName({ method, model, target }) {
  const { panels } = store.state;
  /** @param {(panel: Panel) => any} key */
  const several = (key) => new Set(panels.map(key)).size > 1;
  const parts = [methodTitle(method)];
  if (several((panel) => panel.model)) parts.push(modelTitle(model));
  if (target && several((panel) => panel.target?.index)) parts.push(className(target));
  return parts.join(" · ");
}

/**
 * The pixel of a map under the crosshair; null where the model saw nothing of that place.
 * @param {ReducedMap | null} map
 * @param {number[]} crop
 */
export function crossedPixel(map, crop) {
  const { cross } = store.state.viewport;
  return map && cross ? pixelAt(toPanel(cross, crop), map) : null;
}

/**
 * Magnifies about the crosshair, or the middle.
 * @param {number} factor
 */
export function zoomBy(factor) {
  const { viewport } = store.state;
  const panel = currentPanel();
  if (!panel) return;
  const crop = cropOf(panel);
  const from = viewport.cross && viewport.zoom === 1 ? { ...viewport, centre: viewport.cross } : viewport;
  setViewport(zoomedAt(from, crop, [0.5, 0.5], factor));
}

export const resetZoom = () => setViewport({ zoom: RESTING_VIEWPORT.zoom, centre: RESTING_VIEWPORT.centre });

/**
 * Compares two panels; with one given, the other is of the same method in another row, or else its neighbour. The only
 * map is compared with the picture.
 * @param {Panel | null} [panel]
 */
export function compareWith(panel) {
  const panels = drawable();
  const a = panel && panels.includes(panel) ? panel : currentPanel();
  const others = panels.filter((other) => other !== a);
  const b = others.find(({ method }) => method === a?.method) ?? others.find(({ model }) => model === a?.model) ?? others[0];
  if (a) setViewport({ compare: [a.id, b?.id ?? "picture"] });
}

// Places mean nothing on another picture. (What an address asks to look at is set after its picture.)
/** @type {string | null} */
let shown = null;
store.watch(["picture"], ({ picture }) => {
  if (shown && picture?.url !== shown) resetViewport();
  shown = picture?.url ?? null;
});
