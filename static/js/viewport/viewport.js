// Looking closely: what the visitor points at, magnifies, marks and compares; linked over all panels.

import { arrayOf } from "../rendering/draw.js";
import { AT_REST, pixelAt, toPanel, zoomedAt } from "./geometry.js";
import { modelTitle } from "../state/models.js";
import { titleOf } from "../state/methods.js";
import { store } from "../state/store.js";

export const look = (patch) => store.set({ looking: { ...store.state.looking, ...patch } });

/** Where the panel's pixels lie in the upright original; before that is known, the panel is the original. */
export function cropOf(panel) {
  const { crop, size } = store.state.inputs.get(panel.model) ?? {};
  if (crop) return crop;
  const [height, width] = size ?? arrayOf(panel)?.shape.slice(1) ?? [1, 1];
  return [0, 0, width, height];
}

/** The panels that have something to look at. */
export const drawable = () => store.state.panels.filter(arrayOf);

/** The panel that was looked at last, or the first that can be. */
export function lookedAt() {
  const panels = drawable();
  return panels.find(({ id }) => id === store.state.looking.panel) ?? panels[0] ?? null;
}

/** A panel's name among the others: its method, and its model and class where those differ. */
export function nameOf({ method, model, target }) {
  const { panels } = store.state;
  const several = (key) => new Set(panels.map(key)).size > 1;
  const parts = [titleOf(method)];
  if (several((panel) => panel.model)) parts.push(modelTitle(model));
  if (target && several((panel) => panel.target?.index)) parts.push(target.label);
  return parts.join(" · ");
}

/** The pixel of a map under the crosshair; null where the model saw nothing of that place. */
export function crossedPixel(map, crop) {
  const { cross } = store.state.looking;
  return map && cross ? pixelAt(toPanel(cross, crop), map) : null;
}

/** Magnifies about the crosshair, or the middle. */
export function zoomBy(factor) {
  const { looking } = store.state;
  const panel = lookedAt();
  if (!panel) return;
  const crop = cropOf(panel);
  const from = looking.cross && looking.zoom === 1 ? { ...looking, centre: looking.cross } : looking;
  look(zoomedAt(from, crop, [0.5, 0.5], factor));
}

export const resetZoom = () => look({ zoom: AT_REST.zoom, centre: AT_REST.centre });

/** Two panels side by side; with one given, the other is its neighbour. */
export function compareWith(panel) {
  const panels = drawable();
  const a = panel && panels.includes(panel) ? panel : lookedAt();
  const b = panels.find((other) => other !== a && other.model === a.model && other.method !== a.method) ?? panels.find((other) => other !== a);
  if (a && b) look({ compare: [a.id, b.id] });
}

/** A box in any order of its corners, in whole pixels of the original; null where it has no area. */
export function boxBetween([ax, ay], [bx, by]) {
  const box = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)].map(Math.round);
  return box[2] - box[0] > 0 && box[3] - box[1] > 0 ? box : null;
}

// Places mean nothing on another picture. (What an address asks to look at is set after its picture.)
let shown = null;
store.watch(["picture"], ({ picture }) => {
  if (shown && picture?.url !== shown) store.set({ looking: AT_REST, tool: null });
  shown = picture?.url ?? null;
});
