import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { openChecks, openSheet, setTool } from "../state/actions.js";
import { canBeMeasured } from "../state/panels.js";
import { store } from "../state/store.js";
import { resetZoom } from "../viewport/viewport.js";
import { View } from "../widgets/view.js";
import { zoomText } from "./viewport-bar.js";

/** @import { Sheet, State } from "../state/types.js" */

/**
 * On a phone, at the bottom edge: opens the sheets and the table of checks, and shows how far the checks are. While maps
 * are magnified, it holds the button that resets the zoom; while a mask is drawn, the button that puts the brush away.
 */
export class SheetBar extends View {
  /** @type {HTMLButtonElement} */ reset;
  /** @type {HTMLButtonElement} */ checks;
  /** @type {HTMLButtonElement} */ done;

  build() {
    /** @param {Sheet} sheet */
    const button = (sheet) => el("button", { type: "button", class: "button", "aria-haspopup": "dialog", onclick: () => openSheet(sheet) }, t(`${sheet}.title`));
    this.reset = el("button", { type: "button", class: "button sheet-reset", onclick: resetZoom });
    this.checks = el("button", { type: "button", class: "button sheet-checks", "aria-haspopup": "dialog", onclick: () => openChecks("open") });
    this.done = el("button", { type: "button", class: "button sheet-done", title: t("mask.done.long"), onclick: () => setTool(null) }, t("mask.done"));
    this.append(button("ask"), button("reading"), this.checks, this.reset, this.done);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport", "tool"], ({ viewport, tool }) => this.show(viewport.zoom, tool), signal);
    store.watch(["checks", "viewport", "tool", "panels"], () => this.showChecks(), signal);
    store.watchPanels(() => this.showChecks(), signal);
  }

  showChecks() {
    const { checks, viewport, tool, panels } = store.state;
    const running = checks?.status === "running";
    this.checks.hidden = tool === "mask" || (!running && viewport.zoom !== 1); // another button takes its place
    this.checks.disabled = !panels.some(canBeMeasured);
    this.checks.textContent = running ? t("checks.progress", checks) : t("checks.short");
    this.checks.setAttribute("aria-label", running ? `${t("checks.progress", checks)}. ${t("checks.progress.heard", checks)}` : `${t("checks.short")}. ${t("checks.open.long")}`);
  }

  /**
   * @param {number} zoom
   * @param {State["tool"]} tool
   */
  show(zoom, tool) {
    this.done.hidden = tool !== "mask";
    this.reset.hidden = zoom === 1 || tool === "mask";
    this.reset.textContent = t("zoom.reset.short", { zoom: zoomText(zoom) });
  }
}
