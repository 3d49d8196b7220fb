// Where a pixel lies: in its panel, in the upright original, and in the panel's window under the common
// zoom. A panel is measured in fractions (0 … 1) of the model's input, the original in its pixels; the
// crop [x0, y0, x1, y1] of the input leads from one to the other.

export const MOST = 16;

/** How nothing in particular is looked at. All of it is plain JSON; places are pixels of the original. */
export const AT_REST = {
  zoom: 1, // of every panel, 1 … 16
  centre: null, // [x, y], null: the middle of each panel
  cross: null, // [x, y] of the crosshair
  box: null, // [x0, y0, x1, y1]
  compare: null, // ids of two panels
  split: null, // 0 … 1: how much of the full screen is the picture
  panel: null, // the id of the panel that was looked at last
};

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export const toPicture = ([u, v], [x0, y0, x1, y1]) => [x0 + u * (x1 - x0), y0 + v * (y1 - y0)];

export const toPanel = ([x, y], [x0, y0, x1, y1]) => [(x - x0) / (x1 - x0), (y - y0) / (y1 - y0)];

export const boxToPanel = ([x0, y0, x1, y1], crop) => [...toPanel([x0, y0], crop), ...toPanel([x1, y1], crop)];

const inside = (shift, zoom) => clamp(shift, 1 - zoom, 0);

/** {zoom, left, top}: the fraction u of the panel stands at u × zoom + left of its window. */
export function frameOf({ zoom, centre }, crop) {
  const [u, v] = centre ? toPanel(centre, crop) : [0.5, 0.5];
  return { zoom, left: inside(0.5 - u * zoom, zoom), top: inside(0.5 - v * zoom, zoom) };
}

function lookingOf({ zoom, left, top }, crop) {
  if (zoom === 1) return { zoom, centre: null };
  return { zoom, centre: toPicture([(0.5 - inside(left, zoom)) / zoom, (0.5 - inside(top, zoom)) / zoom], crop) };
}

/** From a place in the window to a fraction of the panel, and back. */
export const fromWindow = ([f, g], { zoom, left, top }) => [(f - left) / zoom, (g - top) / zoom];
export const toWindow = ([u, v], { zoom, left, top }) => [u * zoom + left, v * zoom + top];

/** {zoom, centre} magnified by `factor`; what lies at the place [f, g] of the window stays there. */
export function zoomedAt(looking, crop, [f, g], factor) {
  const frame = frameOf(looking, crop);
  const [u, v] = fromWindow([f, g], frame);
  const zoom = clamp(frame.zoom * factor, 1, MOST);
  return lookingOf({ zoom, left: f - u * zoom, top: g - v * zoom }, crop);
}

/** {zoom, centre} moved by fractions of the window. */
export function pannedBy(looking, crop, [across, down]) {
  const { zoom, left, top } = frameOf(looking, crop);
  return lookingOf({ zoom, left: left + across, top: top + down }, crop);
}

/** {zoom, centre} moved just as far as brings a place of the original into the window. */
export function bringingIn(looking, crop, place) {
  const [f, g] = toWindow(toPanel(place, crop), frameOf(looking, crop));
  const margin = 0.05;
  const by = (at) => clamp(at, margin, 1 - margin) - at;
  return pannedBy(looking, crop, [by(f), by(g)]);
}

/** {x, y, index} of the pixel at a fraction of the panel; null outside. */
export function pixelAt([u, v], { width, height }) {
  const x = Math.floor(u * width);
  const y = Math.floor(v * height);
  return x >= 0 && y >= 0 && x < width && y < height ? { x, y, index: y * width + x } : null;
}

/** The middle of a pixel, as a fraction of the panel. */
export const middleOf = ({ x, y }, { width, height }) => [(x + 0.5) / width, (y + 0.5) / height];
