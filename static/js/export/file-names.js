// Names of exported files. They are made of what the file shows: picture, method, class, model.

import { explanationHistory } from "../history/history.js";
import { originOf } from "../state/picture-origin.js";

/** @import { Panel, State } from "../state/types.js" */

/**
 * A text without extension, and with only the characters that every file system allows.
 * @param {string} text
 */
const cleaned = (text) => text.normalize("NFC").replace(/\.[a-z0-9]{1,5}$/i, "").replace(/[^\p{L}\p{N}.-]+/gu, "_").replace(/^[_.]+|[_.]+$/g, "").slice(0, 48);

/**
 * The parts that are given, with hyphens between.
 * @param {(string | null | undefined)[]} parts
 * @param {string} extension
 */
const fileName = (parts, extension) => `${parts.flatMap((part) => part || []).map(cleaned).filter(Boolean).join("-")}.${extension}`;

/**
 * The name of the explained picture: of the sample, of the file, or as the history remembers it.
 * @param {State} state
 */
const pictureName = (state) => originOf(state).sample ?? state.picture?.name ?? explanationHistory.of(state.id)?.name ?? "gradoscope";

/**
 * The file name of one panel, such as cat-grad_cam-tiger_cat-efficientnet_lite0.npy.
 * @param {Panel} panel
 * @param {State} state
 * @param {string} extension
 * @param {number} zoom
 */
export function panelFile(panel, state, extension, zoom = 1) {
  const { method, model, target, against } = panel;
  const classes = [target?.label ?? String(target?.index ?? ""), against ? `not-${against.label}` : null];
  return fileName([pictureName(state), method, ...classes, model?.replaceAll(/[:.]/g, "_"), zoom > 1 ? `${zoom}x` : null], extension);
}

/**
 * The file name of the whole grid, such as cat-tiger_cat-68f9ecb7.svg. The digits are from the explanation's id, since one
 * picture can have several explanations.
 * @param {State} state
 * @param {string} extension
 * @param {number} zoom
 */
export function gridFile(state, extension, zoom = 1) {
  const labels = [...new Set(state.panels.map(({ target }) => target?.label).filter(Boolean))];
  return fileName([pictureName(state), labels.length === 1 ? labels[0] : null, state.id?.slice(0, 8), zoom > 1 ? `${zoom}x` : null], extension);
}
