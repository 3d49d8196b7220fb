// Where the settings of this page come from, if a page of the workbench has led here: said below the question.

import { el } from "../shared/dom.js";
import { ORIGIN, originOf, originText } from "../shared/lab-link.js";
import { t } from "../shared/texts.js";
import { parameterTitle } from "./words.js";

/** @import { Origin } from "../shared/lab-link.js" */

/**
 * What is said of an origin, sentence by sentence.
 * @param {Origin} origin
 */
function sentencesOf({ kind, model, place, said, changed }) {
  const names = said.split(" ").filter(Boolean);
  return [
    t(`lab.page.origin.${kind}`, { model, place }),
    kind === "activation" && said ? t("lab.page.origin.activation.share", { said }) : "",
    kind !== "activation" && names.length ? t("lab.page.origin.near", { names: names.map(parameterTitle).join(", ") }) : "",
    changed ? t("lab.page.origin.changed") : "",
  ].filter(Boolean);
}

/**
 * The address of the explanation, with its gradient flow where that was looked at.
 * @param {Origin} origin
 */
const addressOf = ({ kind, model, explanation, target }) => `/e/${explanation}${target && kind !== "check" ? `#flow=${model}/${target}` : ""}`;

/**
 * Shows where the settings of an address come from.
 * @param {HTMLElement} place
 * @param {string} query
 */
export function showOrigin(place, query) {
  const origin = originOf(new URLSearchParams(query).get(ORIGIN));
  place.hidden = !origin;
  if (!origin) return;
  const back = origin.explanation ? [" ", el("a", { href: addressOf(origin) }, t("lab.page.origin.back"))] : [];
  place.replaceChildren(sentencesOf(origin).join(" "), ...back);
}

/**
 * The query, once its settings were changed by hand.
 * @param {string} query
 */
export function changedOrigin(query) {
  const next = new URLSearchParams(query);
  const origin = originOf(next.get(ORIGIN));
  if (!origin || origin.changed) return query;
  next.set(ORIGIN, originText({ ...origin, changed: true }));
  return `?${next}`;
}
