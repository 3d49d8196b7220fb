// The region that is drawn on the maps, as a metric takes it: in pixels of the model's input.

import { maskOfInput, runLengths } from "../arrays/mask.js";
import { store } from "../state/store.js";
import { boxToPanel } from "../viewport/geometry.js";
import { cropOf } from "../viewport/viewport.js";

/** @import { Panel } from "../state/types.js" */

/**
 * "left,top,right,bottom" within a panel; empty where the box lies beside what the model saw.
 * @param {number[]} box
 * @param {Panel} panel
 * @param {number[]} shape
 */
function boxOf(box, panel, [height, width]) {
  const sides = boxToPanel(box, cropOf(panel)).map((share, index) => Math.round(10 * Math.min(1, Math.max(0, share)) * (index % 2 ? height : width)) / 10);
  return sides[2] > sides[0] && sides[3] > sides[1] ? sides.join(",") : "";
}

/**
 * The box or the mask that is drawn; null where none is, or it lies beside what the model saw.
 * @param {string} id - of the panel
 * @returns {{ box: string, mask: string } | null}
 */
export function drawnRegion(id) {
  const panel = store.panel(id);
  const { box, mask } = store.state.viewport;
  const shape = panel?.record?.shape?.slice(-2);
  if (!panel || !shape) return null;
  if (mask) {
    const size = { height: shape[0], width: shape[1] };
    const inside = maskOfInput(mask, cropOf(panel), size);
    return inside.includes(1) ? { box: "", mask: runLengths(inside, size) } : null;
  }
  const sides = box ? boxOf(box, panel, shape) : "";
  return sides ? { box: sides, mask: "" } : null;
}
