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
 * Words with a help text.
 * @param {string} words
 * @param {string} text
 */
export const helped = (words, text) => el("button", { type: "button", class: "helped", ...helpAttributes(text) }, words);
