// What the server tells of a row's gradient flow: asked for once for each question.

import * as api from "../api/client.js";
import { store } from "../state/store.js";

/**
 * @import { GradientFlow } from "../api/types.js"
 * @import { RowWithPanels } from "../state/types.js"
 */

const KEPT = 20;
const known = new Map(); // the question as text -> what was answered

/**
 * The form of a row's question: the same picture, class, score and input as its maps have.
 * @param {RowWithPanels} row
 */
function fieldsOf({ model, target }) {
  const { id, ask } = store.state;
  const { against, score, fit, size } = ask;
  const given = { from: id, model, target: target?.index ?? "top", against: against?.index, score, fit, size };
  return Object.entries(given).filter(([, value]) => value !== null && value !== undefined);
}

/**
 * A promise of {model, target, score, layers, findings}.
 * @param {RowWithPanels} row
 * @param {AbortSignal} signal
 * @returns {Promise<GradientFlow>}
 */
export async function flowOf(row, signal) {
  const fields = fieldsOf(row);
  const key = JSON.stringify(fields);
  if (!known.has(key)) {
    const answer = await api.gradientFlow(fields, { signal });
    known.set(key, answer);
    if (known.size > KEPT) known.delete(known.keys().next().value);
  }
  return known.get(key);
}
