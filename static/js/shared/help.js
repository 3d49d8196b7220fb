// Marks what has a help text; widgets/help-tip.js shows it by hover, focus and touch.

import { el } from "./dom.js";

/** @param {string} text */
export const helpAttributes = (text) => ({ "data-help": text, "aria-description": text });

/**
 * Another help text for an element that has one, or has not.
 * @param {Element} node
 * @param {string} text
 */
export function setHelp(node, text) {
  for (const [name, value] of Object.entries(helpAttributes(text))) node.setAttribute(name, value);
}

/**
 * Words with a help text. No button element: that would be a box in the line, and the words would not break as others do.
 * @param {string} words
 * @param {string} text
 */
export const helped = (words, text) => el("span", { role: "button", tabindex: "0", class: "helped", ...helpAttributes(text) }, words);
