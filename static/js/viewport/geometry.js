// Where a pixel lies: in its panel, in the upright original, and in the panel's window under the common
// zoom. A panel is measured in fractions (0 … 1) of the model's input, the original in its pixels; the
// crop [x0, y0, x1, y1] of the input leads from one to the other.

/**
 * @import { ReducedMap } from "../rendering/types.js"
 * @import { Viewport } from "../state/types.js"
 */

/** @typedef {{ zoom: number, left: number, top: number }} Frame */

/** @typedef {Pick<Viewport, "zoom" | "centre">} Zoom */

/** @typedef {{ x: number, y: number }} Pixel */

export const MAX_ZOOM = 16;

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * @param {number[]} fraction
 * @param {number[]} crop
 */
export const toPicture = ([u, v], [x0, y0, x1, y1]) => [x0 + u * (x1 - x0), y0 + v * (y1 - y0)];

/**
 * @param {number[]} place
 * @param {number[]} crop
 */
export const toPanel = ([x, y], [x0, y0, x1, y1]) => [(x - x0) / (x1 - x0), (y - y0) / (y1 - y0)];

/**
 * @param {number[]} box
 * @param {number[]} crop
 */
export const boxToPanel = ([x0, y0, x1, y1], crop) => [...toPanel([x0, y0], crop), ...toPanel([x1, y1], crop)];

/**
 * @param {number} shift
 * @param {number} zoom
 */
const inside = (shift, zoom) => clamp(shift, 1 - zoom, 0);

/**
 * {zoom, left, top}: the fraction u of the panel stands at u × zoom + left of its window.
 * @param {Zoom} viewport
 * @param {number[]} crop
 * @returns {Frame}
 */
export function frameOf({ zoom, centre }, crop) {
  const [u, v] = centre ? toPanel(centre, crop) : [0.5, 0.5];
  return { zoom, left: inside(0.5 - u * zoom, zoom), top: inside(0.5 - v * zoom, zoom) };
}

/**
 * @param {Frame} frame
 * @param {number[]} crop
 * @returns {Zoom}
 */
function viewportOf({ zoom, left, top }, crop) {
  if (zoom === 1) return { zoom, centre: null };
  return { zoom, centre: toPicture([(0.5 - inside(left, zoom)) / zoom, (0.5 - inside(top, zoom)) / zoom], crop) };
}

/**
 * From a place in the window to a fraction of the panel, and back.
 * @param {number[]} place
 * @param {Frame} frame
 */
export const fromWindow = ([f, g], { zoom, left, top }) => [(f - left) / zoom, (g - top) / zoom];
/**
 * @param {number[]} fraction
 * @param {Frame} frame
 */
export const toWindow = ([u, v], { zoom, left, top }) => [u * zoom + left, v * zoom + top];

/**
 * {zoom, centre} magnified by `factor`; what lies at the place [f, g] of the window stays there.
 * @param {Zoom} viewport
 * @param {number[]} crop
 * @param {number[]} place
 * @param {number} factor
 */
export function zoomedAt(viewport, crop, [f, g], factor) {
  const frame = frameOf(viewport, crop);
  const [u, v] = fromWindow([f, g], frame);
  const zoom = clamp(frame.zoom * factor, 1, MAX_ZOOM);
  return viewportOf({ zoom, left: f - u * zoom, top: g - v * zoom }, crop);
}

/**
 * {zoom, centre} moved by fractions of the window.
 * @param {Zoom} viewport
 * @param {number[]} crop
 * @param {number[]} by
 */
export function pannedBy(viewport, crop, [across, down]) {
  const { zoom, left, top } = frameOf(viewport, crop);
  return viewportOf({ zoom, left: left + across, top: top + down }, crop);
}

/**
 * {zoom, centre} moved just as far as brings a place of the original into the window.
 * @param {Zoom} viewport
 * @param {number[]} crop
 * @param {number[]} place
 */
export function pannedToShow(viewport, crop, place) {
  const [f, g] = toWindow(toPanel(place, crop), frameOf(viewport, crop));
  const margin = 0.05;
  /** @param {number} at */
  const by = (at) => clamp(at, margin, 1 - margin) - at;
  return pannedBy(viewport, crop, [by(f), by(g)]);
}

/**
 * {x, y, index} of the pixel at a fraction of the panel; null outside.
 * @param {number[]} fraction
 * @param {Pick<ReducedMap, "width" | "height">} map
 */
export function pixelAt([u, v], { width, height }) {
  const x = Math.floor(u * width);
  const y = Math.floor(v * height);
  return x >= 0 && y >= 0 && x < width && y < height ? { x, y, index: y * width + x } : null;
}

/**
 * The middle of a pixel, as a fraction of the panel.
 * @param {Pixel} pixel
 * @param {Pick<ReducedMap, "width" | "height">} map
 */
export const middleOf = ({ x, y }, { width, height }) => [(x + 0.5) / width, (y + 0.5) / height];

/**
 * A box in any order of its corners, in whole pixels of the original; null where it has no area.
 * @param {number[]} one
 * @param {number[]} other
 */
export function boxBetween([ax, ay], [bx, by]) {
  const box = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)].map(Math.round);
  return box[2] - box[0] > 0 && box[3] - box[1] > 0 ? box : null;
}
