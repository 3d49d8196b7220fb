// What of a network the experiments of the lab can be set to: read off the layers of its gradient flow. Pure functions.

/** @import { FlowLayer } from "../api/types.js" */

const DEEPEST = 50; // bounds of the experiment `depth`
const WIDTHS = [2, 256];
const AVERAGED = 1000; // a way around an average pooling is taken, however short it is: a gate is no part of the depth

/** Activations by the names of their operations, and what is nearest to them in the lab. */
const ACTIVATIONS = new Map(Object.entries({
  relu: "relu", threshold: "relu", hardtanh: "relu", clamp: "relu", clampmin: "relu", leakyrelu: "leaky_relu", prelu: "leaky_relu", rrelu: "leaky_relu",
  gelu: "gelu", silu: "gelu", mish: "gelu", hardswish: "gelu", elu: "leaky_relu", celu: "leaky_relu", softplus: "relu", sigmoid: "sigmoid", hardsigmoid: "sigmoid", tanh: "tanh",
}));
const EXACT = ["relu", "leakyrelu", "gelu", "sigmoid", "tanh"];
/** One unit has fewer of them. */
const OF_A_UNIT = new Map(Object.entries({ relu: "relu", leaky_relu: "relu", gelu: "relu", sigmoid: "sigmoid", tanh: "tanh" }));
const NORMALISATIONS = new Map(Object.entries({ batch_norm: "batch", norm: "layer" }));

/** @param {FlowLayer} layer */
const isWeighted = ({ operation }) => operation.startsWith("conv") || operation === "linear";

/** @param {FlowLayer} layer */
const lengthOf = (layer) => (isWeighted(layer) ? 1 : 0) - (layer.pooling?.how === "average" ? AVERAGED : 0);

/**
 * The longest way from the picture through a layer to the score, by layers with weights: places in the list.
 * @param {FlowLayer[]} layers
 * @param {number} at
 * @returns {number[]}
 */
export function wayThrough(layers, at) {
  /** @type {number[]} */
  const before = layers.map(() => -1);
  const after = layers.map(() => -1);
  const down = layers.map(lengthOf);
  const up = layers.map(lengthOf);
  layers.forEach(({ into }, place) => into.forEach((next) => {
    if (before[next] >= 0 && up[before[next]] >= up[place]) return;
    before[next] = place;
    up[next] = up[place] + lengthOf(layers[next]);
  }));
  for (let place = layers.length - 1; place >= 0; place -= 1) {
    const { into } = layers[place];
    if (!into.length) continue;
    after[place] = into.reduce((best, next) => (down[next] > down[best] ? next : best));
    down[place] = lengthOf(layers[place]) + down[after[place]];
  }
  const way = [at];
  for (let place = before[at]; place >= 0; place = before[place]) way.unshift(place);
  for (let place = after[at]; place >= 0; place = after[place]) way.push(place);
  return way;
}

/**
 * The layer on a way that comes next from a place on, else the last before it; undefined where there is none.
 * @param {FlowLayer[]} way
 * @param {number} from
 * @param {(layer: FlowLayer) => boolean} wanted
 */
const nearest = (way, from, wanted) => way.slice(from).find(wanted) ?? way.slice(0, from).findLast(wanted);

/** @param {FlowLayer} layer */
const widthOf = ({ shape }) => (shape.length === 2 ? shape[1] : shape[0]);

/**
 * Settings of the experiment `depth` for a layer, and which of them are not exactly the network's.
 * @param {FlowLayer[]} layers
 * @param {number} at
 */
export function depthSettings(layers, at) {
  const places = wayThrough(layers, at);
  const way = places.map((place) => layers[place]);
  const here = places.indexOf(at);
  const weighted = way.filter(isWeighted);
  const activation = nearest(way, here, ({ operation }) => ACTIVATIONS.has(operation))?.operation;
  const normalisation = nearest(way, here, ({ operation }) => NORMALISATIONS.has(operation))?.operation;
  const width = widthOf(nearest(way, here, isWeighted) ?? layers[at]);
  const norms = weighted.map(({ norm }) => norm);
  const parameters = {
    depth: Math.min(DEEPEST, Math.max(1, weighted.length)),
    width: Math.min(WIDTHS[1], Math.max(WIDTHS[0], width)),
    ...(activation ? { activation: ACTIVATIONS.get(activation) } : {}),
    ...(normalisation ? { normalisation: NORMALISATIONS.get(normalisation) } : {}),
    ...(way.some(({ sum }) => sum) ? { residual: true } : {}),
    ...(norms.length > 1 && norms.length <= 200 && norms.every((norm) => norm !== null) ? { measured: norms.map((norm) => Number(Number(norm).toPrecision(4))) } : {}),
  };
  const near = [
    ...(parameters.depth === weighted.length ? [] : ["depth"]), ...(parameters.width === width ? [] : ["width"]),
    ...(activation && !EXACT.includes(activation) ? ["activation"] : []),
  ];
  return { parameters, near };
}

/**
 * The activation of the experiment `saturation` for a layer that can be dead or saturated; null for others.
 * @param {FlowLayer} layer
 */
export function unitSettings({ operation, dead, saturated }) {
  const activation = OF_A_UNIT.get(ACTIVATIONS.get(operation) ?? "");
  return activation && (dead !== null || saturated !== null) ? { activation } : null;
}

/**
 * Settings of the experiment `pooling` for a layer whose input is known; null for others.
 * @param {FlowLayer} layer
 */
export function poolingSettings({ pooling }) {
  if (!pooling?.excerpt) return null;
  const { values, kernel, stride, padding } = pooling.excerpt;
  const average = pooling.how === "average";
  if (kernel !== null) return { kind: average ? "average" : "max", kernel, stride, padding, input: values };
  if (average) return { kind: "global", input: values };
  const [rows, columns] = [values.length, values[0].length];
  return rows === columns ? { kind: "max", kernel: rows, stride: rows, input: values } : null;
}
