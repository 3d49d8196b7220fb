import { statusLine } from "../shared/announce.js";
import { el, focused, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { openMetrics } from "../state/actions.js";
import { methodOf, methodTitle } from "../state/methods.js";
import { className, modelTitle } from "../state/models.js";
import { canBeMeasured } from "../state/panels.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { costOf, costsOf, sumCosts, weightOf } from "./cost.js";
import { cancelAll, isMeasuring, measure } from "./measurements.js";
import { metrics } from "./metric-list.js";
import { costText } from "./metric-text.js";

/**
 * @import { MetricEstimate } from "../api/types.js"
 * @import { Panel } from "../state/types.js"
 * @import { TrustMetric } from "./trust-metric.js"
 * @import { TrustVerdict } from "./trust-verdict.js"
 */

/** How far one map can be trusted: the verdict, and each metric with its cost and what it has found. */
export class TrustDialog extends View {
  /** @type {HTMLHeadingElement} */ heading;
  /** @type {HTMLParagraphElement} */ context;
  /** @type {HTMLDivElement} */ map;
  /** @type {TrustVerdict} */ verdict;
  /** @type {HTMLButtonElement} */ all;
  /** @type {HTMLParagraphElement} */ total;
  /** @type {HTMLDivElement} */ list;
  /** @type {HTMLDivElement} */ body;
  /** @type {HTMLDialogElement} */ dialog;
  /** @type {HTMLElement | null} */ opener;

  /** @type {string | null} */
  #shown = null; // the panel's id
  #pricing = new AbortController();
  /** @type {Map<string, number> | null} */
  #weights = new Map(); // of the metrics, to tell the cheap ones; null while they are asked for

  build() {
    this.heading = el("h2", { class: "question", id: "trust-title" });
    this.context = el("p", { class: "small muted" });
    this.map = el("div", { class: "trust-map" });
    this.verdict = el("trust-verdict");
    this.all = el("button", { type: "button", class: "button", onclick: () => this.press() });
    this.total = el("p", { class: "small muted" });
    this.list = el("div", { class: "trust-list" });
    this.body = el("div", { class: "drawer-body trust-body", tabindex: "0", role: "region", "aria-labelledby": "trust-title" },
      this.verdict, el("div", { class: "trust-all" }, this.all, this.total), this.list);
    this.dialog = el("dialog", { class: "drawer trust", "aria-labelledby": "trust-title", onclose: () => this.closed(), onclick: ({ target }) => target === this.dialog && this.dialog.close() },
      el("div", { class: "drawer-inner" },
        el("div", { class: "drawer-head" }, this.map, el("div", { class: "drawer-words" }, this.heading, this.context), iconButton("close", t("trust.close"), { onclick: () => this.dialog.close() })),
        this.body, statusLine()));
    this.addEventListener("reprice", ({ target }) => this.ask([/** @type {TrustMetric} */ (target)]));
    this.append(this.dialog);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["metricsPanel", "panels"], () => this.follow(), signal);
    store.watch(["models", "methods"], () => this.panel && this.tellPanel(this.panel), signal);
    store.watch(["classNames"], () => this.dialog.open && this.render(), signal);
    store.watchPanels((id) => id === this.#shown && this.render(), signal);
  }

  get panel() {
    return store.panel(store.state.metricsPanel);
  }

  follow() {
    const { panel } = this;
    if (!panel || !canBeMeasured(panel)) return this.dialog.close();
    if (panel.id !== this.#shown) this.setPanel(panel);
    this.render();
    if (this.dialog.open) return undefined;
    this.opener = focused();
    this.dialog.showModal();
    this.body.scrollTop = 0;
    if (store.state.metricsAt) this.cardOf(store.state.metricsAt)?.visit();
    return undefined;
  }

  /** @param {Panel} panel */
  setPanel(panel) {
    this.#shown = panel.id;
    this.tellPanel(panel);
    this.map.replaceChildren();
    this.#pricing.abort();
    this.#pricing = new AbortController();
    this.list.replaceChildren(...metrics().map((metric) => el("trust-metric").setUp(panel.id, metric.id)));
    this.ask(this.cards);
    this.weigh(panel);
  }

  /**
   * Which metrics are cheap: the server knows their passes at once, their seconds after it has tried a few.
   * @param {Panel} panel
   */
  async weigh(panel) {
    const { signal } = this.#pricing;
    this.#weights = null;
    const asked = this.cards.map(({ metric, values }) => ({ metric, values }));
    const found = await costsOf([panel], asked, { timed: false, signal }).catch(() => null);
    if (signal.aborted) return;
    this.#weights = new Map((found?.get(panel.method) ?? []).map((price) => [price.metric, weightOf(price)]));
    this.renderAll();
  }

  /** @param {Panel} panel */
  tellPanel({ method, model, target }) {
    this.heading.textContent = t("trust.title", { method: [methodTitle(method), methodOf(method)?.year].filter(Boolean).join(" ") });
    this.context.textContent = [target && className(target), modelTitle(model)].filter(Boolean).join(" · ");
  }

  render() {
    const { panel } = this;
    if (!panel?.record) return;
    if (panel.raw && !this.map.firstChild) this.map.append(el("small-map").loadWith(() => panel.raw));
    this.verdict.show(panel.record.metrics ?? {}, (metric) => this.cardOf(metric)?.visit());
    for (const card of this.cards) card.render();
    this.renderAll();
  }

  get cards() {
    return /** @type {TrustMetric[]} */ ([...this.list.children]);
  }

  /** @param {string} metric */
  cardOf(metric) {
    return this.cards.find((card) => card.metric === metric);
  }

  /** Those that have not been measured yet. */
  get open() {
    return this.cards.filter(({ measured }) => !measured || measured.status === "failed");
  }

  renderAll() {
    const { open } = this;
    const busy = isMeasuring(this.#shown);
    this.all.hidden = !busy && !open.length;
    this.all.disabled = !busy && !this.#weights; // which is the cheapest?
    this.all.textContent = t(busy ? "trust.cancel.all" : open.length < this.list.children.length ? "trust.run.rest" : "trust.run.all");
    this.total.textContent = busy ? this.tally(open.length) : this.sumText(open.map(({ price }) => price));
  }

  /** @param {number} left */
  tally(left) {
    const of = this.list.children.length;
    return t("trust.tally", { done: of - left, of });
  }

  /** @param {(MetricEstimate | null | undefined)[]} prices */
  sumText(prices) {
    if (!prices.length) return this.tally(0);
    if (prices.includes(undefined)) return t("trust.pricing");
    return prices.includes(null) ? t("trust.price.unknown") : costText(sumCosts(/** @type {MetricEstimate[]} */ (prices)));
  }

  press() {
    const id = this.#shown;
    if (!id) return undefined;
    if (isMeasuring(id)) return cancelAll(id);
    // The cheap ones first: they often decide, and the dear ones can be cancelled then.
    const weight = (/** @type {TrustMetric} */ { metric }) => this.#weights?.get(metric) ?? Infinity;
    const cards = this.open.filter(({ valid }) => valid).sort((a, b) => weight(a) - weight(b) || 0);
    return measure(id, cards.map(({ metric, values }) => ({ metric, values })));
  }

  /**
   * What these metrics would cost, one after the other: a throughput that is not known yet takes the server a moment.
   * @param {TrustMetric[]} elements
   */
  async ask(elements) {
    const { panel } = this;
    if (!panel) return;
    const { signal } = this.#pricing;
    const asked = elements.filter(({ valid }) => valid);
    for (const element of asked) element.price = undefined;
    for (const element of asked) {
      const { metric, values } = element;
      const price = await costOf(panel, metric, values, signal).catch(() => null); // it can be measured still
      if (signal.aborted) return;
      // If the values have changed since, a request for their price is on its way.
      if (JSON.stringify(element.values) === JSON.stringify(values)) element.price = price;
      this.renderAll();
    }
  }

  closed() {
    const id = this.#shown;
    this.#pricing.abort();
    this.#shown = null;
    this.list.replaceChildren();
    openMetrics(null);
    const element = [...document.querySelectorAll("map-panel")].find(({ panel }) => panel?.id === id);
    const back = this.opener?.isConnected && this.opener !== document.body ? this.opener : element?.trust;
    back?.focus();
  }
}
