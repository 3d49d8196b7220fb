// On a phone the controls lie in a sheet at the bottom edge: the figures stay in sight above it while a slider moves.

import { t } from "../shared/texts.js";

/** @param {HTMLElement} controls */
export function offerSheet(controls) {
  const button = /** @type {HTMLButtonElement} */ (controls.querySelector("[data-sheet]"));
  /** @param {boolean} open */
  const show = (open) => {
    controls.dataset.open = String(open);
    button.setAttribute("aria-expanded", String(open));
    button.textContent = t(open ? "lab.page.sheet.close" : "lab.page.sheet.open");
  };
  button.addEventListener("click", () => show(controls.dataset.open !== "true"));
  controls.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || controls.dataset.open !== "true") return;
    show(false);
    button.focus();
  });
}
