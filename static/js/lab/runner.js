// Runs on the server, the newest settings first: what is slow waits until the hand rests and is cancelled by a newer wish,
// what is quick follows the hand.

import * as api from "../api/client.js";

/** @import { Result } from "./types.js" */

/**
 * What is told of a run.
 * @typedef {object} Listener
 * @property {() => void} started
 * @property {(progress: { done: number, total: number }) => void} progress
 * @property {(partial: Partial<Result>) => void} partial
 * @property {(result: Result) => void} done
 * @property {(problem: api.Problem) => void} failed
 */

/** @typedef {{ parameters: Record<string, any>, seed: number }} Asked */

const QUICK_MS = 150; // a run that takes no longer is left to end while the next one waits
const REST_MS = 200; // that the hand has to rest before a slow run

export class Runner {
  /** @type {AbortController | null} */ #running = null;
  /** @type {Asked | null} */ #next = null;
  #timer = 0;
  #began = 0;
  #took = 0; // ms of the last run that ended

  /**
   * @param {string} id
   * @param {Listener} listener
   */
  constructor(id, listener) {
    this.id = id;
    this.listener = listener;
  }

  /**
   * Computes with these settings, and no longer with earlier ones.
   * @param {Asked} asked
   */
  ask(asked) {
    this.#next = asked;
    clearTimeout(this.#timer);
    if (this.#running && this.#took <= QUICK_MS && performance.now() - this.#began <= 2 * QUICK_MS) return; // it is as good as done
    this.cancel();
    if (this.#took <= QUICK_MS) this.start();
    else this.#timer = setTimeout(() => this.start(), REST_MS);
  }

  cancel() {
    if (!this.#running) return;
    this.#took = Math.max(this.#took, performance.now() - this.#began); // it would have taken longer
    this.#running.abort();
    this.#running = null;
  }

  start() {
    const asked = this.#next;
    this.#next = null;
    if (asked) this.run(asked);
  }

  /** @param {Asked} asked */
  async run(asked) {
    const own = new AbortController();
    this.#running = own;
    this.#began = performance.now();
    this.listener.started();
    try {
      await this.follow(asked, own.signal);
      this.#took = performance.now() - this.#began;
    } catch (error) {
      if (own.signal.aborted) return;
      this.listener.failed(api.problemOf(error));
    }
    if (this.#running !== own) return;
    this.#running = null;
    this.start();
  }

  /**
   * @param {Asked} asked
   * @param {AbortSignal} signal
   */
  async follow(asked, signal) {
    for await (const { event, data } of api.experiment(this.id, asked, signal)) {
      if (signal.aborted) return;
      if (event === "error") throw new api.Problem(data);
      if (event === "progress" || event === "partial") this.listener.progress(data);
      if (event === "partial") this.listener.partial(data);
      if (event === "done") this.listener.done(data.result ?? data);
    }
  }
}
