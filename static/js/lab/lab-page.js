// The page of an experiment: settings in the address, a run for each, and what came of it.

import { readAddress, same, writeAddress } from "./address.js";
import { Controls } from "./controls.js";
import { changedOrigin, showOrigin } from "./origin.js";
import { Results } from "./results.js";
import { Runner } from "./runner.js";

/**
 * @import { Problem } from "../api/client.js"
 * @import { Experiment, Result } from "./types.js"
 */

export class LabPage {
  #told = false; // whether the end of this run is to be said aloud

  /** @param {Experiment} experiment */
  constructor(experiment) {
    this.experiment = experiment;
    this.origin = /** @type {HTMLElement} */ (document.querySelector("[data-origin]"));
    this.results = new Results(experiment.id, (parameter, value, done) => (value === undefined ? this.changed(done) : this.controls.set(parameter, value, done)));
    this.controls = new Controls(/** @type {HTMLElement} */ (document.querySelector(".controls")), experiment.controls, (done) => this.changed(done));
    this.runner = new Runner(experiment.id, {
      started: () => this.results.started(), progress: (progress) => this.results.progress(progress), partial: (partial) => this.results.partial(partial),
      done: (result) => this.done(result), failed: (problem) => this.failed(problem),
    });
    this.listen();
    this.open();
  }

  listen() {
    addEventListener("popstate", () => this.open());
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

  /** @param {Result} result */
  done(result) {
    this.results.done(result, this.#told);
    this.#told = false;
    this.controls.quiet();
  }

  /**
   * What the server refuses stands at its control; anything else above the figures.
   * @param {Problem} problem
   */
  failed(problem) {
    this.results.failed();
    const placed = problem.errors.filter(({ field, detail }) => this.controls.complain(field, detail.replace(/^parameters\.[\w.]+: /, "")));
    const seen = this.results.result !== null; // without figures nobody looks for the reason among the controls
    if (seen && placed.length && placed.length === problem.errors.length) return;
    this.results.tell(problem, () => this.ask());
  }
}
