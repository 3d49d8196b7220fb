// The two sides of a comparison: each a map, or the picture as the model of the other side saw it.

import { t } from "../shared/texts.js";
import { methodTitle } from "../state/methods.js";
import { className, modelTitle } from "../state/models.js";
import { store } from "../state/store.js";
import { drawable } from "../viewport/viewport.js";

/** @import { Panel } from "../state/types.js" */

export const PICTURE = "picture";

/**
 * A side's panel. The picture has that of the other side's `map`, shown without the map.
 * @param {string} id
 * @param {Panel | undefined} map
 * @returns {Panel | undefined}
 */
const panelOf = (id, map) => (id === PICTURE ? map && pictureOf(map) : drawable().find((panel) => panel.id === id));

/**
 * What a panel's model saw.
 * @param {Panel} panel
 * @returns {Panel}
 */
export const pictureOf = (panel) => ({ ...panel, id: PICTURE, picture: true });

/**
 * The panels of both sides; null where one of them is not there, or neither is a map.
 * @returns {[Panel, Panel] | null}
 */
export function sides() {
  const ids = store.state.viewport.compare ?? [];
  const map = drawable().find(({ id }) => ids.includes(id));
  const [a, b] = ids.map((id) => panelOf(id, map));
  return a && b && map ? [a, b] : null;
}

/**
 * Method, class and model of a side.
 * @param {Panel} panel
 */
export function sideTitle({ picture, method, target, model }) {
  if (picture) return t("compare.picture.seen", { model: modelTitle(model) });
  return [methodTitle(method), target && className(target), modelTitle(model)].filter(Boolean).join(" · ");
}
