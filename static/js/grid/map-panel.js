import { arrayOf } from "../rendering/draw.js";
import { el, iconButton } from "../shared/dom.js";
import { factsOf } from "../shared/panel-facts.js";
import { refusalInWords } from "../shared/refusals.js";
import { progressLine, setProgress } from "../shared/progress-line.js";
import { t } from "../shared/texts.js";
import { briefOf } from "../shared/verdict.js";
import { openMetrics, setBlink, viewPanel } from "../state/actions.js";
import { differenceOf, previousPanel, shownOf } from "../state/previous.js";
import { methodOf, methodTitle } from "../state/methods.js";
import { className, inputOf } from "../state/models.js";
import { canBeMeasured, isFinal } from "../state/panels.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { showBright } from "./bright-line.js";
import { followRoom, showFacts } from "./facts-line.js";

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
  /** What a bright pixel means, in one line. @type {HTMLAnchorElement} */ bright;
  /** @type {HTMLButtonElement} */ more;
  /** @type {PanelMenu} */ menu;
  /** @type {MapLens} */ lens;
  /** Says which question the map answers, while a map of the previous question is shown. @type {HTMLParagraphElement} */ mark;
  /** @type {HTMLDivElement} */ message;
  /** @type {HTMLDivElement} */ hairline;
  /** @type {HTMLDivElement} */ well;
  /** @type {HTMLParagraphElement} */ facts;
  /** @type {MapReadout} */ readout;
  /** @type {ScaleBar} */ scale;
  /** @type {HTMLButtonElement} */ trust;
  /** @type {Panel} */ panel;
  /** @type {ReturnType<typeof shownOf>} */ shown;

  /** @type {any[]} */ #rendered = [];

  build() {
    this.name = el("span");
    this.year = el("span", { class: "muted" });
    this.bright = el("a", { class: "bright" });
    this.more = iconButton("more", "");
    this.menu = el("panel-menu");
    this.lens = el("map-lens", {
      onopen: () => this.open(), ondrawn: ({ detail }) => this.drawn(detail), onhold: (event) => this.hold(event), onrelease: () => setBlink(null),
    });
    this.mark = el("p", { class: "previous-mark", hidden: true });
    this.message = el("div", { class: "panel-words" });
    this.hairline = progressLine();
    this.well = el("div", { class: "well map-well" }, this.lens, this.mark, this.message, this.hairline);
    this.facts = el("p", { class: "facts" });
    this.readout = el("map-readout");
    this.scale = el("scale-bar");
    this.trust = el("button", { type: "button", class: "link trust-open", onclick: () => openMetrics(this.panel.id) }, t("trust.open"));
    this.append(el("header", { class: "panel-head" }, el("h3", { class: "panel-title" }, this.name, " ", this.year), this.more, this.menu), this.bright, this.well, this.scale,
      el("div", { class: "panel-foot" }, this.trust, el("div", { class: "panel-facts" }, this.facts, this.readout)));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watchPanels((id) => id === this.panel?.id && this.render(), signal);
    store.watch(["inputs", "methods", "previous", "blink"], () => this.renderAgain(), signal);
    followRoom(this.facts, signal);
  }

  /**
   * Takes another panel to show; the element itself stays, so nothing on the page moves.
   * @param {Panel} panel
   */
  setPanel(panel) {
    this.panel = panel;
    if (this.isConnected) this.render();
  }

  /** What it shows besides its panel, each of which is replaced where it changes. */
  get around() {
    const { inputs, methods, previous, blink, classNames } = store.state;
    return [this.panel, inputs, methods, previous, blink, classNames];
  }

  /** Where panels and what belongs to them change in one step, once is enough. */
  renderAgain() {
    if (this.around.some((value, index) => value !== this.#rendered[index])) this.render();
  }

  render() {
    const { panel } = this;
    if (!panel) return;
    this.#rendered = this.around;
    const method = methodTitle(panel.method);
    this.dataset.status = panel.status;
    this.name.textContent = method;
    this.year.textContent = String(methodOf(panel.method)?.year ?? "");
    showBright(this.bright, panel.method);
    const more = t("panel.more", { method });
    this.more.setAttribute("aria-label", more);
    this.more.title = more;
    this.more.disabled = !isFinal(panel);
    this.showTrust(method);
    this.menu.attachPanel(this.more, panel);
    const label = panel.target ? className(panel.target) : undefined;
    this.lens.canvas.setAttribute("aria-label", label ? t("panel.mapFor", { method, label }) : t("panel.map", { method }));
    this.shown = shownOf(panel);
    this.fitWell();
    this.showProgress(method);
    this.showMessage();
    this.showFacts();
    this.showPrevious();
    this.lens.setPanel(this.shown.panel);
    this.readout.setLens(this.lens);
  }

  /** A map of the previous question says so, and is dimmed while there is no new one. */
  showPrevious() {
    const { old, stale, panel } = this.shown;
    this.classList.toggle("is-stale", stale);
    this.mark.hidden = !old;
    this.mark.textContent = old ? differenceOf(panel, this.panel) : "";
  }

  /**
   * Shows the map of the previous question while a press is held.
   * @param {Event} event
   */
  hold(event) {
    if (!previousPanel(this.panel, store.state) || this.shown.stale) return;
    event.preventDefault();
    setBlink(this.panel.id);
  }

  /**
   * The button that opens the metrics; its text is what they have found so far, in brief.
   * @param {string} method
   */
  showTrust(method) {
    const { panel } = this;
    const parts = briefOf(panel.record?.metrics);
    const brief = parts.map(({ text }) => text).join(", ");
    const nodes = parts.flatMap(({ level, text }, index) => [...(index ? [" · "] : []), el("span", { class: `brief-${level}` }, text)]);
    this.trust.disabled = !canBeMeasured(panel);
    this.trust.setAttribute("aria-label", [brief, t("trust.open.of", { method })].filter(Boolean).join(". "));
    this.trust.replaceChildren(el("span", {}, ...(nodes.length ? nodes : [t("trust.open")])));
  }

  fitWell() {
    const { size } = inputOf(this.shown.panel) ?? {};
    if (size) this.well.style.aspectRatio = `${size[1]} / ${size[0]}`;
  }

  /** @param {string} method */
  showProgress(method) {
    const { status, done, total } = this.panel;
    const running = status === "running" && total;
    this.hairline.hidden = !running;
    if (running) setProgress(this.hairline, this.panel, t("panel.progress", { done, total, method }));
  }

  /** What stands in the place of the map where there is none. */
  showMessage() {
    const { status, problem, partial, raw } = this.panel;
    const empty = !partial && !raw && !this.shown.stale;
    const nodes = [];
    if (problem) {
      const { title, detail, detailLanguage } = refusalInWords(problem);
      nodes.push(el("strong", {}, status === "refused" || status === "failed" ? t(`panel.${status}`) : (title ?? t("panel.failed"))));
      // a problem that can be tried again is the page's own, in its language
      nodes.push(el("p", { lang: problem.again ? null : detailLanguage }, detail || title || ""));
      if (problem.again) nodes.push(el("button", { type: "button", class: "button", onclick: problem.again }, t("panel.retry")));
    } else if (empty && (status === "cancelled" || status === "waiting")) {
      nodes.push(el("p", { class: "muted" }, t(`panel.${status}`)));
    }
    this.message.replaceChildren(...nodes);
    this.message.hidden = nodes.length === 0;
    this.message.classList.toggle("is-problem", Boolean(problem));
  }

  showFacts() {
    const { old, stale } = this.shown;
    const { status, record, done, total } = old && !stale ? this.shown.panel : this.panel;
    /** @type {Fact[]} */
    let facts = [];
    if (status === "done" && record) facts = factsOf(record);
    else if (status === "running" && total) facts = [{ text: t("panel.step", { done, total }) }];
    else if (status === "cancelled" && total) facts = [{ text: t("panel.cancelledAt", { done, total }) }];
    showFacts(this.facts, { facts, method: methodTitle(this.panel.method), open: () => this.menu.showPopover() });
  }

  /** @param {DrawnScale | null} scale */
  drawn(scale) {
    this.well.classList.toggle("has-map", Boolean(scale));
    this.scale.show(scale);
  }

  open() {
    if (arrayOf(this.panel)) viewPanel(this.panel.id);
  }
}
