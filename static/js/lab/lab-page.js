// The page of an experiment: settings in the address, a run for each, and what came of it.

import { announce } from "../shared/announce.js";
import { el } from "../shared/dom.js";
import { duration } from "../shared/format.js";
import { progressLine, setProgress } from "../shared/progress-line.js";
import { t } from "../shared/texts.js";
import { saveBlob } from "../export/save-file.js";
import { readAddress, same, writeAddress } from "./address.js";
import { Controls } from "./controls.js";
import { FigureView } from "./figure.js";
import { showFindings, showNumbers } from "./findings.js";
import { changedOrigin, showOrigin } from "./origin.js";
import { Runner } from "./runner.js";
import { figureTitle } from "./words.js";

/**
 * @import { Problem } from "../api/client.js"
 * @import { Experiment, FigureBody, FindingBody, Result } from "./types.js"
 */

const WIDE = ["contour", "graph"]; // kinds that take a row, as css/lab.css has them
const OLD_MS = 180; // after which figures of earlier settings are dimmed

/**
 * How long a run took: milliseconds where it took no second.
 * @param {number} seconds
 */
const soon = (seconds) => (seconds < 1 ? `${Math.max(1, Math.round(1000 * seconds))} ms` : duration(seconds));

export class LabPage {
  /** @type {Result | null} */ result = null;
  /** @type {Map<string, FigureView>} */ #figures = new Map();
  #dimming = 0;
  #told = false; // whether the end of this run is to be said aloud

  /** @param {Experiment} experiment */
  constructor(experiment) {
    this.experiment = experiment;
    /** @type {(selector: string) => any} */
    const part = (selector) => document.querySelector(selector);
    this.results = part(".results");
    this.line = progressLine();
    part("[data-progress]").append(this.line);
    this.took = part("[data-took]");
    this.brief = part("[data-brief]");
    this.problem = part("[data-problem]");
    this.origin = part("[data-origin]");
    this.findings = part("[data-findings]");
    this.numbers = part("[data-numbers]");
    this.saveButton = part("[data-save-result]");
    this.controls = new Controls(part(".controls"), experiment.controls, (done) => this.changed(done));
    this.runner = new Runner(experiment.id, {
      started: () => this.started(), progress: (progress) => this.progress(progress), partial: (partial) => this.partial(partial),
      done: (result) => this.done(result), failed: (problem) => this.failed(problem),
    });
    for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-figure]"))) this.figure(place.dataset.figure ?? "", place);
    this.listen();
    this.open();
  }

  listen() {
    addEventListener("popstate", () => this.open());
    this.saveButton.addEventListener("click", () => this.save());
    for (const { id, parameters } of this.experiment.tries) {
      document.querySelector(`[data-try="${id}"]`)?.addEventListener("click", () => this.set({ ...this.initial, ...parameters }));
    }
    document.querySelector("[data-defaults]")?.addEventListener("click", () => this.set(this.initial, 0));
    document.querySelector("[data-reseed]")?.addEventListener("click", () => this.set(this.controls.settings.values, this.controls.settings.seed + 1));
  }

  get initial() {
    return Object.fromEntries(this.experiment.controls.map(({ name, initial }) => [name, initial]));
  }

  /** Takes the settings of the address. */
  open() {
    this.controls.settings = readAddress(location.search, this.experiment.controls);
    showOrigin(this.origin, location.search);
    if (!same(this.#asked, this.controls.settings)) this.ask(); // a link within the page changes nothing
  }

  /**
   * @param {Record<string, any>} values
   * @param {number} [seed]
   */
  set(values, seed = this.controls.settings.seed) {
    this.controls.settings = { values, seed };
    this.changed(true);
  }

  /** @param {boolean} done - the hand has come to rest: a step of the browser's history */
  changed(done) {
    this.#told ||= done;
    const before = readAddress(location.search, this.experiment.controls);
    if (done && !same(before, this.controls.settings)) {
      const query = writeAddress(changedOrigin(location.search), this.experiment.controls, this.controls.settings);
      history.pushState(null, "", `${location.pathname}${query}${location.hash}`);
      showOrigin(this.origin, query);
    }
    if (!same(this.#asked, this.controls.settings)) this.ask();
  }

  /** @type {unknown} */ #asked = null;

  ask() {
    const { values, seed } = this.controls.settings;
    this.#asked = { values, seed };
    this.showTries(values);
    this.runner.ask({ parameters: values, seed });
  }

  /** @param {Record<string, any>} values */
  showTries(values) {
    for (const { id, parameters } of this.experiment.tries) {
      document.querySelector(`[data-try="${id}"]`)?.setAttribute("aria-pressed", String(same({ ...this.initial, ...parameters }, { ...this.initial, ...values })));
    }
  }

  started() {
    this.results.setAttribute("aria-busy", "true");
    for (const { place } of this.#figures.values()) place.classList.remove("is-new");
    clearTimeout(this.#dimming);
    this.#dimming = setTimeout(() => {
      this.results.classList.add("is-old");
      if (this.line.hidden) this.progress({ done: 0, total: 0 });
    }, OLD_MS);
  }

  /** @param {{ done: number, total: number }} progress */
  progress({ done, total }) {
    if (!this.results.classList.contains("is-old")) return; // it is as good as done
    const text = total ? t("lab.page.running", { done, total }) : t("lab.page.starting");
    this.line.hidden = false;
    setProgress(this.line, { done, total: total || null }, text);
    this.took.textContent = text;
  }

  /** @param {Partial<Result>} partial */
  partial({ figures = [], findings = [] }) {
    this.showFigures(figures);
    if (findings.length) this.tellFindings(findings);
  }

  /** @param {FindingBody[]} findings */
  tellFindings(findings) {
    showFindings(this.findings, findings);
    const verdicts = /** @type {const} */ (["holds", "fails", "depends"]);
    const parts = verdicts.map((verdict) => ({ verdict, count: findings.filter((each) => each.verdict === verdict).length })).filter(({ count }) => count);
    this.brief.textContent = parts.map(({ verdict, count }) => t(`lab.page.brief.${verdict}`, { count })).join(" · ");
    this.brief.hidden = !parts.length;
  }

  /** @param {Result} result */
  done(result) {
    this.ended();
    this.result = result;
    this.showFigures(result.figures);
    const here = new Set(result.figures.map(({ id }) => id));
    for (const [id, figure] of this.#figures) if (!here.has(id)) figure.hide();
    this.arrange();
    this.tellFindings(result.findings);
    showNumbers(this.numbers, result.numbers);
    this.controls.quiet();
    this.saveButton.disabled = false;
    this.took.textContent = t("lab.page.took", { seconds: soon(result.seconds) });
    if (this.#told) announce(result.findings.length === 1 ? t("lab.page.done.one") : t("lab.page.done", { count: result.findings.length }));
    this.#told = false;
  }

  ended() {
    clearTimeout(this.#dimming);
    this.results.classList.remove("is-old");
    this.results.setAttribute("aria-busy", "false");
    this.line.hidden = true;
    this.problem.hidden = true;
    this.took.textContent = "";
  }

  /** The last of an odd number of figures that share rows has one to itself. */
  arrange() {
    const shown = [...document.querySelectorAll(".lab-figure:not([hidden])")].filter((place) => !WIDE.includes(/** @type {HTMLElement} */ (place).dataset.kind ?? ""));
    shown.forEach((place, index) => place.classList.toggle("alone", index === shown.length - 1 && index % 2 === 0));
  }

  /** @param {FigureBody[]} bodies */
  showFigures(bodies) {
    for (const body of bodies) (this.#figures.get(body.id) ?? this.figure(body.id, this.placeFor(body))).show(body);
  }

  /**
   * @param {string} id
   * @param {HTMLElement} place
   */
  figure(id, place) {
    const view = new FigureView(place, (parameter, value, done) => (value === undefined ? this.changed(done) : this.controls.set(parameter, value, done)));
    this.#figures.set(id, view);
    return view;
  }

  /**
   * A place for a figure that the page did not come with.
   * @param {FigureBody} body
   */
  placeFor({ id, title }) {
    const place = el("figure", { class: "lab-figure", "data-figure": id, "aria-labelledby": `figure-${id}` },
      el("h3", { id: `figure-${id}` }, figureTitle(id, title)), el("div", { class: "figure-body" }));
    document.querySelector(".figures")?.append(place);
    return place;
  }

  /**
   * What the server refuses stands at its control; anything else above the figures.
   * @param {Problem} problem
   */
  failed(problem) {
    this.ended();
    this.results.classList.add("is-old");
    const placed = problem.errors.filter(({ field, detail }) => this.controls.complain(field, detail));
    if (placed.length && placed.length === problem.errors.length) return;
    const { title, detail, titleLanguage, language, retryAfter } = problem;
    this.problem.replaceChildren(el("div", { class: "notice", role: "alert" },
      el("strong", { lang: titleLanguage }, title), detail && detail !== title ? el("p", { lang: language }, detail) : null,
      retryAfter ? el("p", {}, t("lab.page.wait", { seconds: duration(retryAfter) })) : null,
      el("button", { type: "button", class: "button", onclick: () => this.ask() }, t("lab.page.retry"))));
    this.problem.hidden = false;
  }

  save() {
    const text = JSON.stringify(this.result, null, 1);
    saveBlob(new Blob([text], { type: "application/json" }), `${this.experiment.id}.json`);
  }
}
