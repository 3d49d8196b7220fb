// Parts of figures: maps that were made for comparison, with how alike they are to the map that is judged.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { similarity } from "./metric-text.js";

/** A map under its title, with lines of numbers; without a map, the reason. */
export function mapCard(load, title, lines, reason = null) {
  const picture = load ? el("small-map").serve(load) : el("div", { class: "well small-map" }, el("span", { class: "small muted" }, reason ?? t("trust.noMap")));
  return el("li", {}, picture, el("p", { class: "trust-card-title" }, title), ...lines.filter(Boolean).map((line) => el("p", { class: "muted" }, line)));
}

export const judged = ({ raw }, lines = []) => mapCard(raw ? () => raw : null, t("trust.this"), lines);

export const likenessLines = ({ rank_correlation: rank, ssim }) => [t("trust.rank", { value: similarity(rank) }), t("trust.ssim", { value: similarity(ssim) })];

export const explained = (maps) => el("div", {}, maps, el("p", { class: "small muted trust-note" }, t("trust.likeness.means")));
