// The parts of a figure that its template has laid out, found by their data attributes.

import { t } from "../shared/texts.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const STEP_MS = 180;

/**
 * @param {HTMLElement} root
 * @param {string} name
 * @returns {HTMLCanvasElement}
 */
export const view = (root, name) => /** @type {any} */ (root.querySelector(`[data-view="${name}"]`));

/**
 * @param {HTMLElement} root
 * @param {string} name
 * @param {string} text
 */
export function setFactText(root, name, text) {
  /** @type {HTMLElement} */ (root.querySelector(`[data-facts="${name}"]`)).textContent = text;
}

/**
 * A share between 0 and 1 as a bar, with what it means.
 * @param {HTMLElement} root
 * @param {string} name
 * @param {number} share
 * @param {string} text
 */
export function gauge(root, name, share, text) {
  const gauge = /** @type {HTMLElement} */ (root.querySelector(`[data-gauge="${name}"]`));
  gauge.style.setProperty("--share", String(Math.max(0, share)));
  /** @type {HTMLElement} */ (gauge.querySelector("output")).textContent = text;
}

/**
 * Calls `run` with the alternative that is chosen, whenever another is.
 * @param {HTMLElement} root
 * @param {(value: string) => void} run
 */
export function onChoice(root, run) {
  root.querySelector(".choice")?.addEventListener("change", ({ target }) => run(/** @type {HTMLInputElement} */ (target).value));
}

/**
 * @param {HTMLElement} root
 * @returns {string}
 */
export const chosen = (root) => /** @type {HTMLInputElement} */ (root.querySelector(".choice input:checked")).value;

/**
 * A slider, a text on its position, and a button that moves it to the end step by step. Nothing moves by itself, and nothing
 * at all for whoever asks for less motion: the slider is there.
 */
export class Slider {
  #timer = 0;

  /**
   * `show(index)` draws that position of the slider and returns the text to read there.
   * @param {HTMLElement} root
   * @param {(index: number) => string} show
   */
  constructor(root, show) {
    this.input = /** @type {HTMLInputElement} */ (root.querySelector("[data-slider]"));
    this.button = /** @type {HTMLButtonElement} */ (root.querySelector("[data-play]"));
    this.readout = /** @type {HTMLElement} */ (root.querySelector("[data-readout]"));
    this.show = show;
    this.input.addEventListener("input", () => {
      this.pause();
      this.update();
    });
    this.button.addEventListener("click", () => (this.#timer ? this.pause() : this.play()));
    calm.addEventListener("change", () => this.followMotion());
    this.button.disabled = false;
    this.followMotion();
    this.update();
  }

  get index() {
    return Number(this.input.value);
  }

  update() {
    const text = this.show(this.index);
    this.readout.textContent = text;
    this.input.setAttribute("aria-valuetext", text);
  }

  play() {
    if (this.index === Number(this.input.max)) this.input.value = "0";
    this.#timer = setInterval(() => this.step(), STEP_MS);
    this.button.textContent = t("learn.read.pause");
    this.update();
  }

  step() {
    this.input.value = String(this.index + 1);
    this.update();
    if (this.index === Number(this.input.max)) this.pause();
  }

  pause() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.button.textContent = t("learn.read.play");
  }

  /** No button for whoever asks for less motion. */
  followMotion() {
    if (calm.matches) this.pause();
    this.button.hidden = calm.matches;
  }
}
