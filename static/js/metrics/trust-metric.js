import { el } from "../shared/dom.js";
import { progressLine, setProgress } from "../shared/progress-line.js";
import { t } from "../shared/texts.js";
import { store } from "../state/store.js";
import { figureOf } from "./figures.js";
import { cancel, isMeasuring, measure } from "./measurements.js";
import { metricSummary, metricTitle, settingsOf, settingValues } from "./metric-list.js";
import { costText, spentText } from "./metric-text.js";

/**
 * @import { MeasurementBody, MetricEstimate } from "../api/types.js"
 * @import { ParameterField } from "../parameters/parameter-field.js"
 * @import { Measuring } from "../state/types.js"
 */

const PAUSE = 300; // milliseconds without a change before the price is asked for

/** One metric of the panel: what it is, what it costs, the way to measure it, and what it has found. Sends "reprice" when the price of other values is wanted. */
export class TrustMetric extends HTMLElement {
  /** @type {HTMLHeadingElement} */ heading;
  /** @type {HTMLSpanElement} */ cost;
  /** @type {HTMLButtonElement} */ run;
  /** @type {HTMLDivElement} */ hairline;
  /** @type {HTMLDivElement} */ problem;
  /** @type {HTMLDivElement} */ figure;
  /** @type {ParameterField[] | undefined} */ fields;
  /** @type {string} */ panel;
  /** @type {string} */ metric;

  #timer = 0;
  /** @type {MeasurementBody | null} */
  #drawn = null; // the measurement that the figure shows
  /** @type {MetricEstimate | null | undefined} */
  #price; // undefined: asked for; null: could not be told

  /**
   * @param {string} panel - its id
   * @param {string} metric
   */
  setUp(panel, metric) {
    this.panel = panel;
    this.metric = metric;
    this.heading = el("h3", { tabindex: "-1" }, metricTitle(metric));
    this.cost = el("span", { class: "trust-cost" });
    this.run = el("button", { type: "button", class: "button trust-run", onclick: () => this.press() });
    this.hairline = progressLine();
    this.problem = el("div", { class: "trust-problem", hidden: true });
    this.figure = el("div", { class: "trust-figure" });
    this.append(
      el("div", { class: "trust-about" },
        el("div", { class: "trust-what" }, this.heading, this.run),
        el("p", { class: "small" }, metricSummary(metric)),
        el("p", { class: "small muted trust-line" }, this.cost, this.meaning(metric)),
        this.hairline),
      this.problem, this.figure, ...this.settings());
    this.dataset.metric = metric;
    return this;
  }

  /** @param {string} metric */
  meaning(metric) {
    return el("a", { href: `/trust#${encodeURIComponent(metric)}`, target: "_blank", rel: "noopener", "aria-label": t("trust.means.of", { metric: metricTitle(metric) }) }, t("trust.means"));
  }

  /** A form of its parameters, where it has any. */
  settings() {
    const settings = settingsOf(this.metric);
    if (!settings.length) return [];
    const values = settingValues(this.metric, this.measured, this.panel);
    this.fields = settings.map((parameter) => {
      const field = el("parameter-field");
      field.setUp(parameter, { changed: () => this.changed() });
      field.value = values[parameter.name];
      return field;
    });
    return [el("details", { class: "trust-settings" }, el("summary", { class: "small" }, t("panel.parameters")), el("div", { class: "parameter-fields" }, ...this.fields))];
  }

  get values() {
    return Object.fromEntries((this.fields ?? []).map((field) => [field.parameter.name, field.value]));
  }

  get valid() {
    return (this.fields ?? []).every((field) => !field.problem);
  }

  get measured() {
    return store.panel(this.panel)?.record?.metrics?.[this.metric] ?? null;
  }

  get state() {
    return store.panel(this.panel)?.measuring[this.metric] ?? null;
  }

  get price() {
    return this.#price;
  }

  set price(price) {
    this.#price = price;
    this.render();
  }

  changed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.dispatchEvent(new CustomEvent("reprice", { bubbles: true })), PAUSE);
    this.render();
  }

  press() {
    if (isMeasuring(this.panel, this.metric)) cancel(this.panel, this.metric);
    else if (this.valid) measure(this.panel, [{ metric: this.metric, values: this.values }]);
    else this.fields?.find((field) => field.problem)?.control.input.focus();
  }

  render() {
    const { measured, state } = this;
    const busy = isMeasuring(this.panel, this.metric);
    const word = busy ? "cancel" : measured?.status === "done" ? "again" : "run";
    this.run.textContent = t(`trust.${word}`);
    this.run.setAttribute("aria-label", t(`trust.${word}.of`, { metric: metricTitle(this.metric) }));
    this.dataset.status = busy ? state?.status : (measured?.status ?? "open");
    this.cost.textContent = this.costs(busy, state, measured);
    this.progress(busy && state?.status === "running" ? state : null);
    this.showProblem(busy ? null : (state?.problem ?? measured?.problem), measured);
    this.draw(measured);
  }

  /**
   * @param {boolean} busy
   * @param {Measuring | null} state
   * @param {MeasurementBody | null} measured
   */
  costs(busy, state, measured) {
    if (busy && state?.status === "waiting") return t("panel.waiting");
    if (busy) return state?.total ? t("panel.step", state) : t("trust.begins");
    const stopped = state?.status === "cancelled" ? (state.total ? t("panel.cancelledAt", state) : t("announce.cancelled")) : null;
    const edited = JSON.stringify(this.values) !== JSON.stringify(measured?.parameters ?? {});
    const cost = measured?.status === "done" && !edited ? spentText(measured) : this.priceText();
    return [stopped, cost].filter(Boolean).join(" · ");
  }

  priceText() {
    if (!this.valid) return t("parameters.price.none");
    if (this.#price === undefined) return t("trust.pricing");
    return this.#price === null ? t("trust.price.unknown") : costText(this.#price);
  }

  /** @param {Measuring | null} state */
  progress(state) {
    this.hairline.hidden = !state?.total;
    if (state?.total) setProgress(this.hairline, state, t("trust.progress", { metric: metricTitle(this.metric), done: state.done, total: state.total }));
  }

  /**
   * @param {any} problem
   * @param {MeasurementBody | null} measured
   */
  showProblem(problem, measured) {
    this.problem.hidden = !problem;
    const refused = measured?.status === "refused" && problem === measured.problem;
    this.problem.replaceChildren(...(problem ? [
      el("strong", {}, t(refused ? "trust.refused" : "panel.failed")),
      el("p", { class: "small", lang: "en" }, problem.detail || problem.title || problem.message)] : []));
  }

  /**
   * Drawn anew only where it was measured anew.
   * @param {MeasurementBody | null} measured
   */
  draw(measured) {
    const done = measured?.status === "done" ? measured : null;
    const panel = store.panel(this.panel);
    if (done === this.#drawn || !panel) return;
    this.#drawn = done;
    this.figure.replaceChildren(...(done ? [figureOf(done, panel)] : []));
  }

  visit() {
    this.scrollIntoView({ block: "start" });
    this.heading.focus({ preventScroll: true });
  }
}
