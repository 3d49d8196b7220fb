// One explanation of the history as it is shown: a link with its picture and what was asked.

import { addressOf, visit } from "../controller/controller.js";
import { announce } from "../shared/announce.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { emptyView } from "../state/initial.js";
import { titleOf } from "../state/methods.js";
import { modelTitle } from "../state/models.js";
import { store } from "../state/store.js";
import { fragmentOf } from "../url-state/address.js";
import { stillThere } from "./recorder.js";

/** @import { Entry } from "./history.js" */

/**
 * A picture without a name goes by what the model believes it to be.
 * @param {Pick<Entry, "name" | "label">} entry
 */
export const nameOf = ({ name, label }) => name ?? label ?? t("history.unnamed");

/** @param {MouseEvent} event */
const plainClick = (event) => event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);

/**
 * The rendering goes along; where one had looked in the other picture does not.
 * @param {string} id
 */
const addressWithReading = (id) => addressOf(id) + fragmentOf({ ...store.state, ...emptyView(), viewedPanel: null });

/**
 * @param {string} id
 * @param {() => void} then
 */
async function open(id, then) {
  if (!(await stillThere(id))) return announce(t("history.gone"));
  then();
  return visit(addressWithReading(id));
}

/** @param {Entry} entry */
const methodsOf = ({ methods }) => (methods.length === 1 ? titleOf(methods[0]) : t("history.methods", { count: methods.length }));

const dated = new Intl.DateTimeFormat(document.documentElement.lang || undefined, { dateStyle: "medium", timeStyle: "short" });

/** @param {Entry} entry */
export const timeOf = ({ time }) => el("time", { datetime: new Date(time).toISOString() }, dated.format(time));

/**
 * What it was about, in one line.
 * @param {Entry} entry
 */
export function aboutOf({ name, label, target, models, gone }) {
  if (gone) return t("history.gone");
  return [target ? t("history.why", { target }) : name && label, models.map(modelTitle).join(", ")].filter(Boolean).join(" · ");
}

/** @param {Entry} entry */
export const makingOf = (entry) => [methodsOf(entry), " · ", timeOf(entry)];

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
