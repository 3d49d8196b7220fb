// The parts of a figure that its template has laid out, found by their data attributes.

import { t } from "../shared/texts.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const STEP_MS = 180;

export const view = (root, name) => root.querySelector(`[data-view="${name}"]`);

export function tell(root, name, text) {
  root.querySelector(`[data-facts="${name}"]`).textContent = text;
}

/** A share between 0 and 1 as a bar, with what it means. */
export function gauge(root, name, share, text) {
  const place = root.querySelector(`[data-gauge="${name}"]`);
  place.style.setProperty("--share", Math.max(0, share));
  place.querySelector("output").textContent = text;
}

/** Calls `run` with the alternative that is chosen, whenever another is. */
export function onChoice(root, run) {
  root.querySelector(".choice").addEventListener("change", ({ target }) => run(target.value));
}

export const chosen = (root) => root.querySelector(".choice input:checked").value;

/**
 * A slider with its reading, and a button that moves it to the end step by step. Nothing moves by itself, and nothing
 * at all for whoever asks for less motion: the slider is there.
 */
export class Slider {
  #timer = 0;

  /** `show(place)` draws a place and returns what is to be read there. */
  constructor(root, show) {
    this.input = root.querySelector("[data-slider]");
    this.button = root.querySelector("[data-play]");
    this.readout = root.querySelector("[data-readout]");
    this.show = show;
    this.input.addEventListener("input", () => {
      this.pause();
      this.update();
    });
    this.button.addEventListener("click", () => (this.#timer ? this.pause() : this.play()));
    calm.addEventListener("change", () => this.obey());
    this.button.disabled = false;
    this.obey();
    this.update();
  }

  get place() {
    return Number(this.input.value);
  }

  update() {
    const text = this.show(this.place);
    this.readout.textContent = text;
    this.input.setAttribute("aria-valuetext", text);
  }

  play() {
    if (this.place === Number(this.input.max)) this.input.value = 0;
    this.#timer = setInterval(() => this.step(), STEP_MS);
    this.button.textContent = t("learn.read.pause");
    this.update();
  }

  step() {
    this.input.value = this.place + 1;
    this.update();
    if (this.place === Number(this.input.max)) this.pause();
  }

  pause() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.button.textContent = t("learn.read.play");
  }

  obey() {
    if (calm.matches) this.pause();
    this.button.hidden = calm.matches;
  }
}
