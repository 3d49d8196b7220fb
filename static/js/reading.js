// How a raw attribution becomes a picture: reduction over channels, clipping, colour. Pure functions.

export const REDUCTIONS = ["sum", "abs", "max", "positive", "negative"];

/** Whose clip holds for a panel: its own, the largest of its method's panels, the largest of all. */
export const SCALES = ["own", "method", "all"];

export const DEFAULT = {
  reduction: "abs",
  // Signed values want a palette with a middle, magnitudes one with a bottom: each remembers its own.
  palettes: { signed: "blue_orange", unsigned: "inferno" },
  percentile: 99,
  overlay: 100,
  scale: "own",
  show: "map", // see threshold.js
  top: 10, // per cent of the pixels
};

const KEY = "gradoscope.reading";

/** The reading of this tab before a reload; a new tab starts from the defaults. */
export function restoredReading() {
  try {
    return { ...DEFAULT, ...JSON.parse(sessionStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...DEFAULT };
  }
}

export function rememberReading(reading) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(reading));
  } catch {
    // Storage may be full or switched off; the reading then lasts until the reload.
  }
}

/** Which of the two remembered palettes holds for a reduction. */
export const signOf = (reduction) => (reduction === "sum" ? "signed" : "unsigned");

export const paletteOf = (reading) => reading.palettes[signOf(reading.reduction)];

function sum(values, size, channels, i) {
  let total = 0;
  for (let c = 0; c < channels; c += 1) total = Math.fround(total + values[c * size + i]);
  return total;
}

const OVER_CHANNELS = {
  sum,
  positive: (values, size, channels, i) => Math.max(sum(values, size, channels, i), 0),
  negative: (values, size, channels, i) => Math.max(-sum(values, size, channels, i), 0),
  abs: (values, size, channels, i) => {
    let total = 0;
    for (let c = 0; c < channels; c += 1) total = Math.fround(total + Math.abs(values[c * size + i]));
    return total;
  },
  max: (values, size, channels, i) => {
    let most = 0;
    for (let c = 0; c < channels; c += 1) most = Math.max(most, Math.abs(values[c * size + i]));
    return most;
  },
};

function compute({ shape: [channels, height, width], values }, reduction) {
  const size = height * width;
  const reduced = new Float32Array(size);
  const over = OVER_CHANNELS[reduction];
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < size; i += 1) {
    const value = Math.fround(over(values, size, channels, i)); // as it is kept: the ends must be values of the map
    reduced[i] = value;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  // Sorted once, so that dragging the percentile costs one look-up.
  const magnitudes = reduced.map(Math.abs).sort();
  return { height, width, values: reduced, low, high, magnitudes, signed: reduction === "sum" };
}

const cache = new WeakMap();

/** The (h, w) map of a raw (c, h, w) array; computed once for every array and reduction. */
export function reduce(raw, reduction) {
  if (!cache.has(raw)) cache.set(raw, new Map());
  const reductions = cache.get(raw);
  if (!reductions.has(reduction)) reductions.set(reduction, compute(raw, reduction));
  return reductions.get(reduction);
}

/** Interpolated linearly between ranks, over sorted values of single precision: as numpy.percentile, to the bit. */
export function percentileOf(sorted, percentile) {
  const { fround } = Math;
  const place = (percentile / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  const step = fround(sorted[above] - sorted[below]);
  const part = place - below;
  if (part < 0.5) return fround(sorted[below] + fround(step * fround(part)));
  return fround(sorted[above] - fround(step * fround(1 - part)));
}

/** The magnitude at which a map is clipped, alone on its scale. */
export function clipOf(map, percentile) {
  // Where hardly any pixel is above zero the percentile may be zero: then nothing is clipped.
  return percentileOf(map.magnitudes, percentile) || map.magnitudes[map.magnitudes.length - 1];
}

/**
 * The values that the two ends of the palette stand for. Zero is the bottom of a sequential palette
 * and the middle of a diverging one; signed values are symmetric about zero in any palette.
 * `flat`: nothing to tell apart, all of the map takes the colour of zero. `limit` is the clip of a
 * scale that is shared with other maps.
 */
export function scaleOf(map, percentile, palette, limit = clipOf(map, percentile)) {
  const symmetric = map.signed || palette.kind === "diverging";
  return {
    low: symmetric ? -limit : 0,
    high: limit,
    symmetric,
    flat: map.low === map.high,
    clipsLow: map.low < -limit,
    clipsHigh: map.high > limit,
  };
}

/** The entry of zero on a symmetric scale. */
export const NEUTRAL = 128;

/**
 * The entry of the palette that a value takes: one rule with app/images/render.py, which has it in words, in single
 * precision too. tests/images/golden_rendering.json holds both to it.
 */
export function paletteIndex(value, { low, high, flat, symmetric }) {
  if (flat || high === low) return symmetric ? NEUTRAL : 0;
  const { fround } = Math;
  const position = fround(fround(value - low) / fround(high - low));
  if (!(position > 0)) return 0;
  if (position >= 1) return 255;
  const place = fround(position * 255);
  const below = Math.floor(place);
  const part = place - below;
  return part < 0.5 || (part === 0.5 && below % 2 === 0) ? below : below + 1; // halves to the even entry
}

/** Writes the colours of `map` into `pixels`, a Uint32Array over RGBA. */
export function paint(map, scale, colours, pixels) {
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = colours[paletteIndex(map.values[i], scale)];
}
