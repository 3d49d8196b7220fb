import { statusLine } from "../shared/announce.js";
import { el, iconButton } from "../shared/dom.js";
import { commandOf } from "../shared/keys.js";
import { factNodes, factsOf } from "../shared/panel-facts.js";
import { t } from "../shared/texts.js";
import { openMetrics, setBlink, viewPanel } from "../state/actions.js";
import { differenceOf, previousPanel, shownOf } from "../state/previous.js";
import { methodOf, methodTitle } from "../state/methods.js";
import { className, inputOf } from "../state/models.js";
import { canBeMeasured } from "../state/panels.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { drawable } from "./viewport.js";

/**
 * @import { MapReadout } from "./map-readout.js"
 * @import { MapLens } from "./map-lens.js"
 * @import { SplitDivider } from "./split-divider.js"
 * @import { ScaleBar } from "../widgets/scale-bar.js"
 */

/** A dialog with one map as large as the window allows, and the toolbars of the grid. */
export class MapViewer extends View {
  /** @type {HTMLHeadingElement} */ heading;
  /** @type {HTMLParagraphElement} */ context;
  /** @type {MapLens} */ lens;
  /** @type {SplitDivider} */ divider;
  /** @type {HTMLParagraphElement} */ facts;
  /** @type {MapReadout} */ readout;
  /** @type {ScaleBar} */ scale;
  /** @type {HTMLButtonElement} */ trustButton;
  /** @type {HTMLButtonElement} */ previous;
  /** @type {HTMLButtonElement} */ next;
  /** @type {HTMLDialogElement} */ dialog;

  #viewed = ""; // the panel that is open, or was last

  build() {
    this.heading = el("h2", { class: "question", id: "viewer-title" });
    this.context = el("p", { class: "small muted context" });
    this.lens = el("map-lens", { fullscreen: true, ondrawn: ({ detail }) => this.scale.show(detail), onhold: (event) => this.hold(event), onrelease: () => setBlink(null) });
    this.divider = el("split-divider");
    this.facts = el("p", { class: "facts" });
    this.readout = el("map-readout");
    this.scale = el("scale-bar");
    this.trustButton = el("button", { type: "button", class: "link", onclick: () => openMetrics(store.state.viewedPanel) }, t("trust.open"));
    this.previous = iconButton("previous", t("viewer.previous"), { onclick: () => this.step(-1) });
    this.next = iconButton("next", t("viewer.next"), { onclick: () => this.step(1) });
    this.dialog = el("dialog", { class: "viewer", "aria-labelledby": "viewer-title", onclose: () => this.closed(), onkeydown: (event) => this.onKey(event) },
      el("header", { class: "viewer-head" }, el("div", {}, this.heading, this.context), el("box-fields"), el("mask-fields"), this.trustButton, this.previous, this.next,
        iconButton("close", t("viewer.close"), { onclick: () => this.dialog.close() })),
      el("div", { class: "viewer-stage" }, el("div", { class: "well map-well has-map" }, this.lens, this.divider)),
      el("div", { class: "viewer-foot" }, this.scale, this.facts, this.readout),
      el("div", { class: "instruments" }, el("viewport-bar", { fullscreen: true }), el("reading-bar")), statusLine());
    this.append(this.dialog);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewedPanel", "panels"], () => this.follow(), signal);
    store.watch(["blink", "previous", "methods", "inputs"], () => this.render(), signal);
    store.watchPanels((id) => id === store.state.viewedPanel && this.render(), signal);
  }

  get panel() {
    return store.panel(store.state.viewedPanel);
  }

  /** Opens for the viewed panel, closes without one. */
  follow() {
    if (!this.panel) return this.dialog.close();
    this.render();
    if (!this.dialog.open) this.dialog.showModal();
    return undefined;
  }

  render() {
    const { panel } = this;
    if (!panel) return;
    const { method, target } = panel;
    this.#viewed = panel.id;
    const title = methodTitle(method);
    this.heading.textContent = [title, methodOf(method)?.year].filter(Boolean).join(" ");
    const shown = shownOf(panel);
    this.context.textContent = shown.old ? differenceOf(shown.panel, panel) : (target ? className(target) : "");
    this.lens.canvas.setAttribute("aria-label", t("panel.mapFor", { method: title, label: target ? className(target) : "" }));
    const { size } = inputOf(shown.panel) ?? {};
    if (size) this.dialog.style.setProperty("--ratio", String(size[1] / size[0]));
    const { record } = shown.panel;
    this.facts.replaceChildren(...factNodes(record ? factsOf(record) : []));
    this.trustButton.hidden = !canBeMeasured(panel);
    this.lens.setPanel(shown.panel);
    this.readout.setLens(this.lens);
  }

  /**
   * Shows the panel that is `by` after this one, round and round.
   * @param {number} by
   */
  step(by) {
    const panels = drawable();
    if (!panels.length) return;
    const found = panels.findIndex(({ id }) => id === store.state.viewedPanel);
    const index = found < 0 && by < 0 ? 0 : found; // the panel in view may have no map: then the first or the last is next
    viewPanel(panels[(index + by + panels.length) % panels.length].id);
  }

  /**
   * While a press is held, the map of the previous question is shown.
   * @param {Event} event
   */
  hold(event) {
    if (!this.panel || !previousPanel(this.panel, store.state)) return;
    event.preventDefault();
    setBlink(this.panel.id);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    // Sliders and lists use the arrow keys themselves.
    if (/** @type {HTMLElement} */ (event.target).matches("input, select, [role=slider]")) return;
    const command = commandOf("viewer", event);
    if (command === "previous") this.step(-1);
    if (command === "next") this.step(1);
  }

  /** After the dialog has closed: put the focus on the panel that was viewed. */
  closed() {
    viewPanel(null);
    const panel = [...document.querySelectorAll("map-panel")].find((element) => element.panel.id === this.#viewed);
    panel?.more.focus();
  }
}
