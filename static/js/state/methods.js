// The methods: what the server says of them, in the visitor's language.

import { t, textOr } from "../shared/texts.js";
import { isUploaded } from "../shared/uploaded.js";
import { store } from "./store.js";

/** @param {string | null} id */
export const methodOf = (id) => store.state.methods?.find((method) => method.id === id);

/**
 * What the server says of a method in English, in the visitor's language; a plug-in's own words stay as they are.
 * @param {string} id
 */
export const summaryOf = (id) => textOr(`catalogue.summary.${id}`, methodOf(id)?.summary ?? "");

/**
 * What a bright pixel of its map means, in one line; of a method that does not say it, what it computes.
 * @param {string} id
 */
export const brightOf = (id) => textOr(`method.bright.${id}`, summaryOf(id));

/**
 * The part of the page about the methods that is about this one.
 * @param {string} id
 */
export const aboutMethod = (id) => `/methods#${encodeURIComponent(id)}`;

/**
 * The name of a parameter as it is shown.
 * @param {string} name
 * @param {string} [title]
 */
export const parameterTitle = (name, title = name.replaceAll("_", " ")) => textOr(`catalogue.parameter.${name}`, title);

/**
 * A choice of a parameter as it is shown.
 * @param {any} value
 */
export const choiceTitle = (value) => textOr(`catalogue.choice.${value}`, String(value).replaceAll("_", " "));

/**
 * The title that an uploaded map was given, with the word that it was uploaded.
 * @param {string} id - of its method
 */
function uploadedTitle(id) {
  const title = store.state.panels.find(({ method }) => method === id)?.record?.parameters?.title;
  return t("method.uploaded", { title: title ?? id });
}

/**
 * The name of a method in the visitor's language; of an uploaded map its own title.
 * @param {string} id
 */
export const methodTitle = (id) => (isUploaded(id) ? uploadedTitle(id) : methodName(id));

/** @param {string} id */
const methodName = (id) => textOr(`method.${id}`, methodOf(id)?.title ?? id);
