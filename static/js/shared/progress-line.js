// Progress as a thin line: along the lower edge of a map, or under a text.

import { el } from "./dom.js";

export const progressLine = () => el("div", { class: "hairline", role: "progressbar", "aria-valuemin": "0", hidden: true });

/**
 * Shows `done` of `total`; a total that is not known shows no length.
 * @param {HTMLElement} line
 * @param {{ done: number, total: number | null }} progress
 * @param {string} label
 */
export function setProgress(line, { done, total }, label) {
  line.setAttribute("aria-label", label);
  line.style.setProperty("--done", String(total ? done / total : 0));
  if (total) {
    line.setAttribute("aria-valuemax", String(total));
    line.setAttribute("aria-valuenow", String(done));
  } else {
    line.removeAttribute("aria-valuemax");
    line.removeAttribute("aria-valuenow");
  }
}
