// The map of a panel's method at another layer, by an ordinary request for an explanation.

import * as api from "../api/client.js";
import { decodeNpy } from "../arrays/worker-client.js";
import { store } from "../state/store.js";

/**
 * @import { PanelBody } from "../api/types.js"
 * @import { RawArray } from "../rendering/types.js"
 * @import { Panel } from "../state/types.js"
 */

/** @type {WeakMap<PanelBody, Map<string, RawArray>>} */
const known = new WeakMap(); // a panel's record → the maps of its question by layer

/**
 * The maps of a panel's question that are here already, by layer.
 * @param {Panel} panel
 */
export function mapsOf({ record, raw }) {
  if (!record) return new Map();
  const maps = known.get(record) ?? new Map();
  known.set(record, maps);
  if (raw && record.diagnostics.layer) maps.set(record.diagnostics.layer, raw);
  return maps;
}

/**
 * The question of a panel, at another layer.
 * @param {Panel} panel
 * @param {string} layer
 * @returns {api.Fields}
 */
function fieldsOf({ model, method, target, against, record }, layer) {
  const { id, ask: { score, seed, fit, size } } = store.state;
  /** @type {api.Fields} */
  const fields = [["from", id], ["model", model], ["method", method], ["score", score], ["seed", seed]];
  if (target) fields.push(["target", target.index]);
  if (against) fields.push(["against", against.index]);
  if (fit) fields.push(["fit", fit]);
  if (size) fields.push(["size", size]);
  return [...fields, ["options", JSON.stringify({ [method]: { ...record?.parameters, layer } })]];
}

/**
 * @param {Panel} panel - a finished one
 * @param {string} layer
 * @param {AbortSignal} signal
 * @returns {Promise<RawArray>}
 */
export async function mapAtLayer(panel, layer, signal) {
  const maps = mapsOf(panel);
  const there = maps.get(layer);
  if (there) return there;
  /** @type {PanelBody | undefined} */
  let record;
  for await (const { event, data } of api.explain(fieldsOf(panel, layer), signal)) {
    if (event === "error") throw new api.Problem(data);
    if (event === "done") [record] = data.panels;
  }
  if (record?.problem) throw new api.Problem(record.problem);
  const { buffer, scale } = await api.rawArray(record?.urls.npy ?? "", { signal });
  const raw = await decodeNpy(buffer, scale);
  maps.set(layer, raw);
  return raw;
}
