// One explanation of the history as it is shown: a link with its picture and what was asked.

import { addressOf, visit } from "../controller/controller.js";
import { announce } from "../shared/announce.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { emptyView } from "../state/initial.js";
import { methodTitle } from "../state/methods.js";
import { modelTitle } from "../state/models.js";
import { store } from "../state/store.js";
import { fragmentOf } from "../url-state/address.js";
import { isOnServer } from "./recorder.js";

/** @import { Entry } from "./history.js" */

/**
 * The name of the picture, or else the label of the model's top class.
 * @param {Pick<Entry, "name" | "label">} entry
 */
export const nameOf = ({ name, label }) => name ?? label ?? t("history.unnamed");

/** @param {MouseEvent} event */
const plainClick = (event) => event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);

/**
 * The address with the current rendering settings, but without viewport and crosshair.
 * @param {string} id
 */
const addressWithRendering = (id) => addressOf(id) + fragmentOf({ ...store.state, ...emptyView(), viewedPanel: null });

/**
 * @param {string} id
 * @param {() => void} then
 */
async function open(id, then) {
  if (!(await isOnServer(id))) return announce(t("history.gone"));
  then();
  return visit(addressWithRendering(id));
}

/** @param {Entry} entry */
const methodsOf = ({ methods }) => (methods.length === 1 ? methodTitle(methods[0]) : t("history.methods", { count: methods.length }));

/** @type {Intl.DateTimeFormat | undefined} */
let dates; // made for the first date: that takes a browser as long as the rest of a page's start

/** @param {Entry} entry */
export function timeOf({ time }) {
  dates ??= new Intl.DateTimeFormat(document.documentElement.lang || undefined, { dateStyle: "medium", timeStyle: "short" });
  return el("time", { datetime: new Date(time).toISOString() }, dates.format(time));
}

/**
 * The class that was explained and the models, in one line.
 * @param {Entry} entry
 */
export function questionLine({ name, label, target, models, gone }) {
  if (gone) return t("history.gone");
  return [target ? t("history.why", { target }) : name && label, models.map(modelTitle).join(", ")].filter(Boolean).join(" · ");
}

/** @param {Entry} entry */
export const methodsAndTime = (entry) => [methodsOf(entry), " · ", timeOf(entry)];

/**
 * A link that opens the entry in this page; `then` is called when it is still there.
 * @param {Entry} entry
 * @param {Record<string, any>} attributes
 * @param {() => void} then
 * @param {...Node} children
 */
export function entryLink(entry, attributes, then, ...children) {
  /** @param {MouseEvent} event */
  const onclick = (event) => {
    if (!plainClick(event)) return;
    event.preventDefault();
    open(entry.id, then);
  };
  return el("a", { href: addressOf(entry.id), onclick, ...attributes },
    el("span", { class: "entry-picture well" }, entry.thumbnail ? el("img", { src: entry.thumbnail, alt: "", width: 48, height: 48 }) : null),
    ...children);
}
