import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";

/** @import { ExportMenu } from "./export-menu.js" */

/** The button that opens the export menu of the grid. Shown once all panels are done. */
export class ExportButton extends View {
  /** @type {HTMLButtonElement} */ button;
  /** @type {ExportMenu} */ menu;

  build() {
    this.button = el("button", { type: "button", class: "link export-button" }, t("export.title"));
    this.menu = el("export-menu");
    this.append(this.button, this.menu);
    this.menu.attachTo(this.button, t("export.title"));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["phase"], ({ phase }) => { this.hidden = phase !== "done"; }, signal);
  }
}
