// What exported files are called: they say what is in them.

import { past } from "../history/history.js";
import { originOf } from "../state/picture-origin.js";

/** @import { Panel, State } from "../state/types.js" */

/** @param {string} text */
const part = (text) => text.normalize("NFC").replace(/\.[a-z0-9]{1,5}$/i, "").replace(/[^\p{L}\p{N}.-]+/gu, "_").replace(/^[_.]+|[_.]+$/g, "").slice(0, 48);

/**
 * @param {(string | null | undefined)[]} parts
 * @param {string} extension
 */
const join = (parts, extension) => `${parts.flatMap((each) => each || []).map(part).filter(Boolean).join("-")}.${extension}`;

/** @param {State} state */
const pictureOf = (state) => originOf(state).sample ?? state.picture?.name ?? past.of(state.id)?.name ?? "gradoscope";

/**
 * cat-grad_cam-tiger_cat-efficientnet_lite0.npy
 * @param {Panel} panel
 * @param {State} state
 * @param {string} extension
 * @param {number} zoom
 */
export function panelFile(panel, state, extension, zoom = 1) {
  const { method, model, target, against } = panel;
  const asked = [target?.label ?? String(target?.index ?? ""), against ? `not-${against.label}` : null];
  return join([pictureOf(state), method, ...asked, model?.replaceAll(/[:.]/g, "_"), zoom > 1 ? `${zoom}x` : null], extension);
}

/**
 * cat-tiger_cat-68f9ecb7.svg; the digits tell explanations of one picture apart.
 * @param {State} state
 * @param {string} extension
 * @param {number} zoom
 */
export function gridFile(state, extension, zoom = 1) {
  const labels = [...new Set(state.panels.map(({ target }) => target?.label).filter(Boolean))];
  return join([pictureOf(state), labels.length === 1 ? labels[0] : null, state.id?.slice(0, 8), zoom > 1 ? `${zoom}x` : null], extension);
}
