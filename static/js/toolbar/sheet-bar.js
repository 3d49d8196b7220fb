import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { openChecks, openSheet } from "../state/actions.js";
import { canBeMeasured } from "../state/panels.js";
import { store } from "../state/store.js";
import { resetZoom } from "../viewport/viewport.js";
import { View } from "../widgets/view.js";
import { zoomText } from "./viewport-bar.js";

/** @import { Sheet } from "../state/types.js" */

/**
 * On a phone, at the bottom edge: opens the sheets and the table of checks, and shows how far the checks are. While maps
 * are magnified, it holds the button that resets the zoom.
 */
export class SheetBar extends View {
  /** @type {HTMLButtonElement} */ reset;
  /** @type {HTMLButtonElement} */ checks;

  build() {
    /** @param {Sheet} sheet */
    const button = (sheet) => el("button", { type: "button", class: "button", "aria-haspopup": "dialog", onclick: () => openSheet(sheet) }, t(`${sheet}.title`));
    this.reset = el("button", { type: "button", class: "button sheet-reset", onclick: resetZoom });
    this.checks = el("button", { type: "button", class: "button sheet-checks", "aria-haspopup": "dialog", onclick: () => openChecks("open") });
    this.append(button("ask"), button("reading"), this.checks, this.reset);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport"], ({ viewport }) => this.show(viewport.zoom), signal);
    store.watch(["checks", "viewport", "panels"], () => this.showChecks(), signal);
    store.watchPanels(() => this.showChecks(), signal);
  }

  showChecks() {
    const { checks, viewport, panels } = store.state;
    const running = checks?.status === "running";
    this.checks.hidden = !running && viewport.zoom !== 1; // the reset button takes its place
    this.checks.disabled = !panels.some(canBeMeasured);
    this.checks.textContent = running ? t("checks.progress", checks) : t("checks.short");
    this.checks.setAttribute("aria-label", running ? `${t("checks.progress", checks)}. ${t("checks.progress.heard", checks)}` : `${t("checks.short")}. ${t("checks.open.long")}`);
  }

  /** @param {number} zoom */
  show(zoom) {
    this.reset.hidden = zoom === 1;
    this.reset.textContent = t("zoom.reset.short", { zoom: zoomText(zoom) });
  }
}
