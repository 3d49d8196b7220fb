import { el, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { openSheet, setTool, setViewport } from "../state/actions.js";
import { store } from "../state/store.js";
import { compareWith, currentPanel, drawable, resetZoom, zoomBy } from "../viewport/viewport.js";
import { View } from "../widgets/view.js";

/** @import { State } from "../state/types.js" */

const STEP = 1.5;

/**
 * @param {string} text
 * @param {string} title
 * @param {() => void} onclick
 */
const toggle = (text, title, onclick) => el("button", { type: "button", class: "button toggle", "aria-pressed": "false", title, onclick }, text);

/** @param {number} zoom */
export const zoomText = (zoom) => t("zoom.value", { zoom: zoom < 10 ? Number(zoom.toFixed(1)) : Math.round(zoom) });

/** Zoom, box, mask, comparison; in full screen the split view instead of the comparison. */
export class ViewportBar extends View {
  /** @type {HTMLButtonElement} */ out;
  /** @type {HTMLButtonElement} */ in;
  /** @type {HTMLButtonElement} */ reset;
  /** @type {HTMLButtonElement} */ boxButton;
  /** @type {HTMLButtonElement} */ maskButton;
  /** @type {HTMLButtonElement} */ compare;
  /** @type {HTMLButtonElement} */ split;

  build() {
    this.out = iconButton("minus", t("zoom.out"), { onclick: () => zoomBy(1 / STEP) });
    this.in = iconButton("plus", t("zoom.in"), { onclick: () => zoomBy(STEP) });
    this.reset = el("button", { type: "button", class: "button zoom-value", title: t("zoom.reset"), onclick: resetZoom });
    this.boxButton = toggle(t("box.tool"), t("box.tool.long"), () => this.start("box"));
    this.maskButton = toggle(t("mask.tool"), t("mask.tool.long"), () => this.start("mask"));
    this.compare = el("button", { type: "button", class: "button", title: t("compare.long"), onclick: () => this.startComparison() }, t("compare.open"));
    this.split = toggle(t("split.tool"), t("split.tool.long"), () => setViewport({ split: store.state.viewport.split === null ? 0.5 : null }));
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", t("looking.title"));
    this.append(
      el("div", { class: "zoom-group", role: "group", "aria-label": t("zoom.title"), title: t("zoom.help") }, this.out, this.reset, this.in),
      this.boxButton, this.maskButton, this.hasAttribute("fullscreen") ? this.split : this.compare,
      el("box-fields"), el("mask-fields"), // seen in a sheet only: elsewhere they stand by the picture, where nothing has to make room for them
    );
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport", "tool"], (state) => this.show(state), signal);
    store.watch(["panels"], () => this.offer(), signal);
    store.watchPanels(() => this.offer(), signal);
  }

  offer() {
    this.compare.disabled = drawable().length === 0;
  }

  /** @param {State} state */
  show({ viewport: { zoom, split, box }, tool }) {
    const shown = zoomText(zoom);
    this.reset.textContent = shown;
    this.reset.setAttribute("aria-label", t("zoom.reset.heard", { zoom: shown }));
    this.boxButton.setAttribute("aria-pressed", String(tool === "box"));
    this.maskButton.setAttribute("aria-pressed", String(tool === "mask"));
    this.split.setAttribute("aria-pressed", String(split !== null));
  }

  /**
   * On a phone the sheet goes: box and mask are drawn on what lies under it.
   * @param {"box" | "mask"} tool
   */
  start(tool) {
    openSheet(null);
    setTool(store.state.tool === tool ? null : tool);
  }

  startComparison() {
    openSheet(null);
    compareWith(currentPanel());
  }
}
