// Maps that were made for comparison, with how alike they are to the map that is judged.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { arrayOf } from "./metric-maps.js";
import { score, similarity } from "./metric-text.js";

/** A map under its title, with lines of numbers; without a map, the reason. */
export function mapCard(load, title, lines, reason = null) {
  const picture = load ? el("small-map").serve(load) : el("div", { class: "well small-map" }, el("span", { class: "small muted" }, reason ?? t("trust.noMap")));
  return el("li", {}, picture, el("p", { class: "trust-card-title" }, title), ...lines.filter(Boolean).map((line) => el("p", { class: "muted" }, line)));
}

const judged = ({ raw }, lines = []) => mapCard(raw ? () => raw : null, t("trust.this"), lines);

const likenessLines = ({ rank_correlation: rank, ssim }) => [t("trust.rank", { value: similarity(rank) }), t("trust.ssim", { value: similarity(ssim) })];

const explained = (maps) => el("div", {}, maps, el("p", { class: "small muted trust-note" }, t("trust.likeness.means")));

export function classFigure(measured, panel) {
  const cards = measured.figures.classes.map(({ target, label, random, ...found }) => mapCard(
    () => arrayOf(measured, String(target)), el("span", { lang: "en" }, label ?? String(target)), [...likenessLines(found), random ? t("trust.drawn") : null]));
  return explained(el("ul", { class: "trust-maps" }, judged(panel, [panel.target.label]), ...cards));
}

export function stabilityFigure(measured, panel) {
  const { score: here, trials } = measured.figures;
  const cards = trials.map(({ id, score: there, ...found }) => mapCard(
    () => arrayOf(measured, id), t(`trust.trial.${id}`), [...likenessLines(found), t("trust.score", { value: score(there) })]));
  return explained(el("ul", { class: "trust-maps" }, judged(panel, [t("trust.score", { value: score(here) })]), ...cards));
}
