// The stages of a network. Pure functions.

/** @import { LayerBody } from "../api/types.js" */

/**
 * Layers one after the other whose feature maps have one size; `layer` stands for them: the default one, else the last.
 * @typedef {{ height: number, width: number, layers: LayerBody[], layer: LayerBody }} Stage
 */

/**
 * @param {LayerBody[]} layers - in the order in which they are computed
 * @returns {Stage[]}
 */
export function stagesOf(layers) {
  /** @type {Stage[]} */
  const stages = [];
  for (const layer of layers) {
    const [, height, width] = layer.shape;
    const stage = stages.at(-1);
    if (stage?.height !== height || stage.width !== width) stages.push({ height, width, layers: [layer], layer });
    else {
      stage.layers.push(layer);
      if (!stage.layer.default) stage.layer = layer;
    }
  }
  return stages;
}

/**
 * How large a stage is drawn, relative to the largest: its side by height and width, its depth by the number of channels.
 * @param {Stage} stage
 * @param {Stage[]} stages
 */
export function drawnSize({ height, width, layer }, stages) {
  /** @param {Stage} stage */
  const sideOf = (stage) => Math.sqrt(stage.height * stage.width);
  const side = Math.sqrt(Math.sqrt(height * width) / Math.max(...stages.map(sideOf)));
  const depth = Math.log2(1 + layer.shape[0]) / Math.max(...stages.map((stage) => Math.log2(1 + stage.layer.shape[0])));
  return { side, depth };
}
