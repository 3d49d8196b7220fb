// Tells a screen reader what a sighted person sees happen. Polite: it waits until speech pauses.

import { el } from "./dom.js";

/** While a dialog is open the page's own line is silent: a dialog that has something to tell brings one. */
export const statusLine = () => el("p", { class: "unseen status-line", role: "status" });

/** @param {string} text */
export function announce(text) {
  const line = [...document.querySelectorAll("dialog[open] .status-line")].at(-1) ?? document.getElementById("status");
  if (line) line.textContent = text;
}
