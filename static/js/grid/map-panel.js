import { arrayOf } from "../rendering/draw.js";
import { el, iconButton } from "../shared/dom.js";
import { factNodes, factsOf, fitFacts } from "../shared/panel-facts.js";
import { progressLine, setProgress } from "../shared/progress-line.js";
import { t } from "../shared/texts.js";
import { openMetrics, viewPanel } from "../state/actions.js";
import { methodOf, methodTitle } from "../state/methods.js";
import { canBeMeasured, isFinal } from "../state/panels.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";

/**
 * @import { DrawnScale } from "../rendering/types.js"
 * @import { Fact } from "../shared/panel-facts.js"
 * @import { Panel } from "../state/types.js"
 * @import { MapReadout } from "../viewport/map-readout.js"
 * @import { MapLens } from "../viewport/map-lens.js"
 * @import { ScaleBar } from "../widgets/scale-bar.js"
 * @import { PanelMenu } from "./panel-menu.js"
 */

/** One map of the grid: title and year, the map, its facts, its scale. */
export class MapPanel extends View {
  /** @type {HTMLSpanElement} */ name;
  /** @type {HTMLSpanElement} */ year;
  /** @type {HTMLButtonElement} */ more;
  /** @type {PanelMenu} */ menu;
  /** @type {MapLens} */ lens;
  /** @type {HTMLDivElement} */ message;
  /** @type {HTMLDivElement} */ hairline;
  /** @type {HTMLDivElement} */ square;
  /** @type {HTMLParagraphElement} */ facts;
  /** @type {MapReadout} */ readout;
  /** @type {ScaleBar} */ scale;
  /** @type {HTMLButtonElement} */ trust;
  /** @type {Panel} */ panel;

  #factsWidth = 0; // the width that the facts were fitted to

  build() {
    this.name = el("span");
    this.year = el("span", { class: "muted" });
    this.more = iconButton("more", "");
    this.menu = el("panel-menu");
    this.lens = el("map-lens", { onopen: () => this.open(), ondrawn: ({ detail }) => this.drawn(detail) });
    this.message = el("div", { class: "panel-words" });
    this.hairline = progressLine();
    this.square = el("div", { class: "well map-well" }, this.lens, this.message, this.hairline);
    this.facts = el("p", { class: "facts" });
    this.readout = el("map-readout");
    this.scale = el("scale-bar");
    this.trust = el("button", { type: "button", class: "link trust-open", onclick: () => openMetrics(this.panel.id) }, t("trust.open"));
    this.append(el("header", { class: "panel-head" }, el("h3", { class: "panel-title" }, this.name, " ", this.year), this.more, this.menu), this.square, this.scale,
      el("div", { class: "panel-foot" }, this.trust, el("div", { class: "panel-facts" }, this.facts, this.readout)));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watchPanels((id) => id === this.panel?.id && this.render(), signal);
    store.watch(["inputs", "methods"], () => this.render(), signal);
    const room = new ResizeObserver(() => this.panel && ![0, this.#factsWidth].includes(this.facts.clientWidth) && this.showFacts());
    room.observe(this.facts);
    signal.addEventListener("abort", () => room.disconnect());
  }

  /**
   * Takes another panel to show; the element itself stays, so nothing on the page moves.
   * @param {Panel} panel
   */
  setPanel(panel) {
    this.panel = panel;
    if (this.isConnected) this.render();
  }

  render() {
    const { panel } = this;
    if (!panel) return;
    const method = methodTitle(panel.method);
    this.dataset.status = panel.status;
    this.name.textContent = method;
    this.year.textContent = String(methodOf(panel.method)?.year ?? "");
    const more = t("panel.more", { method });
    this.more.setAttribute("aria-label", more);
    this.more.title = more;
    this.more.disabled = !isFinal(panel);
    this.trust.setAttribute("aria-label", t("trust.open.of", { method }));
    this.trust.disabled = !canBeMeasured(panel);
    this.menu.attachPanel(this.more, panel);
    const label = panel.target?.label;
    this.lens.canvas.setAttribute("aria-label", label ? t("panel.mapFor", { method, label }) : t("panel.map", { method }));
    this.showSquare();
    this.showProgress(method);
    this.showMessage();
    this.showFacts();
    this.lens.setPanel(panel);
    this.readout.setLens(this.lens);
  }

  showSquare() {
    const { size } = store.state.inputs.get(this.panel.model) ?? {};
    if (size) this.square.style.aspectRatio = `${size[1]} / ${size[0]}`;
  }

  /** @param {string} method */
  showProgress(method) {
    const { status, done, total } = this.panel;
    const running = status === "running" && total;
    this.hairline.hidden = !running;
    if (running) setProgress(this.hairline, this.panel, t("panel.progress", { done, total, method }));
  }

  /** What stands in the square instead of a map. */
  showMessage() {
    const { status, problem, partial, raw } = this.panel;
    const empty = !partial && !raw;
    const nodes = [];
    if (problem) {
      nodes.push(el("strong", {}, status === "refused" || status === "failed" ? t(`panel.${status}`) : (problem.title ?? t("panel.failed"))));
      nodes.push(el("p", {}, problem.detail || problem.title || ""));
      if (problem.again) nodes.push(el("button", { type: "button", class: "button", onclick: problem.again }, t("panel.retry")));
    } else if (empty && (status === "cancelled" || status === "waiting")) {
      nodes.push(el("p", { class: "muted" }, t(`panel.${status}`)));
    }
    this.message.replaceChildren(...nodes);
    this.message.hidden = nodes.length === 0;
    this.message.classList.toggle("is-problem", Boolean(problem));
  }

  showFacts() {
    const { status, record, done, total } = this.panel;
    /** @type {Fact[]} */
    let facts = [];
    if (status === "done" && record) facts = factsOf(record);
    else if (status === "running" && total) facts = [{ text: t("panel.step", { done, total }) }];
    else if (status === "cancelled" && total) facts = [{ text: t("panel.cancelledAt", { done, total }) }];
    this.#factsWidth = this.facts.clientWidth; // 0 while the values at the crosshair or in the box are shown instead
    const fixed = getComputedStyle(this.facts).overflowY === "clip";
    if (fixed) fitFacts(this.facts, facts, (left) => this.moreFacts(left));
    else this.facts.replaceChildren(...factNodes(facts));
  }

  /**
   * Opens the details, where all facts stand.
   * @param {Fact[]} left
   */
  moreFacts(left) {
    const title = left.map(({ text }) => text).join(" · ");
    const label = t("panel.facts.more", { method: methodTitle(this.panel.method), facts: title });
    return el("button", { type: "button", class: "facts-more", title, "aria-label": label, onclick: () => this.menu.showPopover() }, `+${left.length}`);
  }

  /** @param {DrawnScale | null} scale */
  drawn(scale) {
    this.square.classList.toggle("has-map", Boolean(scale));
    this.scale.show(scale);
  }

  open() {
    if (arrayOf(this.panel)) viewPanel(this.panel.id);
  }
}
