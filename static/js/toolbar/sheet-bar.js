import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { openSheet } from "../state/actions.js";
import { store } from "../state/store.js";
import { resetZoom } from "../viewport/viewport.js";
import { View } from "../widgets/view.js";
import { zoomText } from "./viewport-bar.js";

/** @import { Sheet } from "../state/types.js" */

/** On a phone, at the bottom edge: opens the sheets; while maps are magnified, also the way back to all of them. */
export class SheetBar extends View {
  /** @type {HTMLButtonElement} */ reset;

  build() {
    /** @param {Sheet} sheet */
    const button = (sheet) => el("button", { type: "button", class: "button", "aria-haspopup": "dialog", onclick: () => openSheet(sheet) }, t(`${sheet}.title`));
    this.reset = el("button", { type: "button", class: "button sheet-reset", onclick: resetZoom });
    this.append(button("ask"), button("reading"), this.reset);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport"], ({ viewport }) => this.show(viewport.zoom), signal);
  }

  /** @param {number} zoom */
  show(zoom) {
    this.reset.hidden = zoom === 1;
    this.reset.textContent = t("zoom.reset.short", { zoom: zoomText(zoom) });
  }
}
