// Metrics that are a few numbers, and what these mean.

import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t, textOr } from "../shared/texts.js";
import { parameterTitle } from "../state/methods.js";
import { facts, score } from "./metric-text.js";

/** @param {string} text */
const words = (text) => el("p", { class: "small" }, text);

/** @param {Record<string, any>} figures */
const reasonOf = ({ reason }) => (reason ? el("p", { class: "small", lang: "en" }, reason) : null);

/** @param {Record<string, any>} figures */
function remedyText({ remedy, complete }) {
  if (complete !== false) return null;
  if (!remedy) return t("trust.remedy.none");
  const parameter = parameterTitle(remedy.parameter);
  const { value, suggested } = remedy;
  const more = suggested ? t("trust.remedy", { parameter, value, suggested }) : t("trust.remedy.most", { parameter, value });
  return remedy.tolerance ? `${more} ${t("trust.remedy.tolerance")}` : more;
}

/** @param {any} measured */
export function completenessFigure({ figures }) {
  const { expected, attributed, relative_error: error } = figures;
  const remedy = remedyText(figures);
  return el("div", {}, facts([
    [t("value.expected"), score(expected)],
    [t("value.attributed"), score(attributed)],
    [t("value.relative_error"), Number.isFinite(error) ? `${error < 0 ? "−" : "+"}${format.percent(error)}` : "–"],
  ]), reasonOf(figures), remedy ? words(remedy) : null);
}

/** @param {any} measured */
export function infidelityFigure({ figures }) {
  const { infidelity, changes, unexplained } = figures;
  return el("div", {}, facts([
    [t("trust.infidelity"), score(infidelity)],
    [t("trust.changes"), score(changes)],
    [t("trust.unexplained"), Number.isFinite(unexplained) ? format.percent(unexplained) : "–"],
  ]), reasonOf(figures), words(t("trust.infidelity.means")));
}

/** @param {any} measured */
export function sensitivityFigure({ figures }) {
  return el("div", {}, facts([[t("trust.max_sensitivity"), score(figures.max_sensitivity)]]), reasonOf(figures), words(t("trust.max_sensitivity.means")));
}

/**
 * Of a metric that this page does not know: its single numbers, by the names that they have.
 * @param {any} measured
 */
export function plainFigure({ figures }) {
  const single = Object.entries(figures).filter(([, value]) => typeof value !== "object" || value === null);
  return facts(single.map(([name, value]) => [textOr(`value.${name}`, name.replaceAll("_", " ")), typeof value === "number" ? score(value) : String(value ?? "–")]));
}
