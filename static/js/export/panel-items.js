// The export items of a panel's menu: the map as PNG as it is rendered now, in several sizes, and the raw array as .npy.

import { announce } from "../shared/announce.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { store } from "../state/store.js";
import { panelFile } from "./file-names.js";

/**
 * @import { PanelBody } from "../api/types.js"
 * @import { Panel } from "../state/types.js"
 */

export const ZOOMS = [1, 2, 3, 4];

/**
 * A button that saves something at `zoom` times its size.
 * @param {number} zoom
 * @param {string} label
 * @param {() => void} save
 */
export function zoomButton(zoom, label, save) {
  return el("button", { type: "button", class: "zoom", "aria-label": label, title: label, onclick: save }, `${zoom}×`);
}

/**
 * Saves the map as PNG, and announces it to screen readers.
 * @param {Panel} panel
 * @param {number} zoom
 */
async function saveMap(panel, zoom) {
  const name = panelFile(panel, store.state, "png", zoom);
  const { savePanel } = await import("./export.js");
  await savePanel(panel, zoom);
  announce(t("export.saved", { name }));
}

/**
 * @param {Panel} panel
 * @param {PanelBody} record
 * @returns {HTMLElement[]}
 */
export function panelItems(panel, { shape, urls }) {
  const [, height, width] = shape ?? [1, 1, 1];
  return [
    el("div", { class: "menu-row", role: "group", "aria-label": t("export.panel") },
      el("span", {}, t("export.panel")),
      ...ZOOMS.map((zoom) => zoomButton(zoom, t("export.panel.long", { width: width * zoom, height: height * zoom }), () => saveMap(panel, zoom)))),
    el("a", { class: "menu-item", href: urls.npy, download: panelFile(panel, store.state, "npy") }, t("panel.npy")),
  ];
}
