// From a panel's state to a canvas: shared by the grid, the full screen and the comparison.

import { clipOf, paint, scaleOf } from "./colour.js";
import { reduce } from "./reduction.js";
import { paletteOf } from "./settings.js";
import { restrict, restrictColours, shareFrom, thresholdOf } from "./top-percent.js";

/** @import { DrawnScale, Palette, RawArray, ReducedMap, Settings } from "./types.js" */

/** @typedef {{ raw?: RawArray | null, partial?: RawArray | null, method?: string }} Drawable A panel, or what has arrays as one. */

/** @type {WeakMap<HTMLCanvasElement, ImageData>} */
const images = new WeakMap();

/** @param {HTMLCanvasElement} canvas */
const contextOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Pick<ReducedMap, "width" | "height">} map
 */
function imageOf(canvas, { width, height }) {
  let image = images.get(canvas);
  if (!image || image.width !== width || image.height !== height) {
    canvas.width = width;
    canvas.height = height;
    image = contextOf(canvas).createImageData(width, height);
    images.set(canvas, image);
  }
  return image;
}

/**
 * @param {Drawable | null | undefined} panel
 * @returns {RawArray | null}
 */
export const arrayOf = (panel) => panel?.raw ?? panel?.partial ?? null;

/**
 * The map of a panel as it is read now; null where there is nothing to read yet.
 * @param {Drawable | null | undefined} panel
 * @param {Settings} rendering
 */
export function mapOf(panel, rendering) {
  const array = arrayOf(panel);
  return array && reduce(array, rendering.reduction);
}

/**
 * The clip of a panel: its own, or the largest among those that it shares a scale with.
 * @param {Drawable} panel
 * @param {{ rendering: Settings, panels: Drawable[] }} state
 */
export function limitOf(panel, { rendering, panels }) {
  const { scale, percentile } = rendering;
  const sharing = scale === "own" ? [panel] : panels.filter(({ method }) => scale === "all" || method === panel.method);
  const maps = sharing.flatMap((one) => mapOf(one, rendering) ?? []);
  return maps.reduce((most, map) => Math.max(most, clipOf(map, percentile)), 0);
}

/**
 * All that the pixels depend on, apart from the array; opacity is left to CSS.
 * @param {Settings} rendering
 * @param {number} limit
 */
export const appearanceOf = ({ reduction, percentile, show, top, ...rendering }, limit) =>
  [reduction, paletteOf({ reduction, ...rendering }), percentile, show, top, limit].join();

/**
 * Draws the panel's best array as it is to be read now, on a scale that ends at `limit`; returns what
 * the scale bar needs, or null where there is nothing to draw yet.
 * @param {HTMLCanvasElement} canvas
 * @param {Drawable} panel
 * @param {{ rendering: Settings, palettes: Record<string, Palette> | null }} state
 * @param {number} [limit]
 * @returns {DrawnScale | null}
 */
export function draw(canvas, panel, { rendering, palettes }, limit) {
  const map = mapOf(panel, rendering);
  if (!map || !palettes) return null;
  const palette = palettes[paletteOf(rendering)];
  const scale = scaleOf(map, rendering.percentile, palette, limit);
  const image = imageOf(canvas, map);
  const pixels = new Uint32Array(image.data.buffer);
  const { show } = rendering;
  const threshold = show === "map" ? null : thresholdOf(map, rendering.top);
  if (show === "map" || show === "top") paint(map, scale, palette.colours, pixels);
  if (threshold !== null) restrict(map, show, threshold, pixels);
  contextOf(canvas).putImageData(image, 0, 0);
  const colours = show === "top" && threshold !== null ? restrictColours(palette.colours, scale, threshold) : palette.colours;
  return { ...scale, colours, show, top: rendering.top, threshold, share: threshold === null ? 1 : shareFrom(map, threshold) };
}
