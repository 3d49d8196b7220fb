// All words of the page come from here. Another language is another module with the same keys.

import en from "./texts/en.js";

const language = en;

/** The text of a key, its {names} filled in. */
export function t(key, values = {}) {
  const text = language[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** The text of a key that may be missing, such as the title of a method that a plug-in brought. */
export const textOr = (key, fallback) => language[key] ?? fallback;

/** Fills in the elements of the template, which are marked with data-text. */
export function translate(root) {
  for (const node of root.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
}
