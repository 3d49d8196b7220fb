// The server's refusals in the page's language: by the problem's type, and by its code and values.

import { filled, textOr } from "./texts.js";

/** @typedef {{ type?: string, title?: string, detail?: string, code?: string, values?: Record<string, any> }} Refusal */

const TYPE = "urn:gradoscope:problem:";

/** @param {any} value */
const shown = (value) => (typeof value === "number" ? value.toLocaleString(document.documentElement.lang) : value);

/**
 * Title and detail as they are to be shown, and which of them are still the server's English.
 * @param {Refusal} refusal
 * @returns {{ title?: string, detail?: string, titleLanguage: string | null, detailLanguage: string | null }}
 */
export function refusalInWords({ type = "", title, detail, code, values = {} }) {
  const english = document.documentElement.lang.startsWith("en");
  const name = english || !type.startsWith(TYPE) ? null : textOr(`refusal.title.${type.slice(TYPE.length).replaceAll("-", "_")}`, null);
  const sentence = english || !code ? null : textOr(`refusal.${code}`, null);
  return {
    title: name ?? title,
    detail: sentence ? filled(sentence, Object.fromEntries(Object.entries(values).map(([key, value]) => [key, shown(value)]))) : detail,
    titleLanguage: name ? null : "en",
    detailLanguage: sentence ? null : "en",
  };
}
