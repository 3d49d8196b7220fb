// Maps that were made for comparison, with how alike they are to the map that is judged.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { arrayOf } from "./metric-maps.js";
import { score, similarity } from "./metric-text.js";

/**
 * @import { RawArray } from "../rendering/types.js"
 * @import { Panel } from "../state/types.js"
 */

/**
 * A map under its title, with lines of numbers; without a map, the reason.
 * @param {(() => RawArray | Promise<RawArray>) | null} load
 * @param {Node | string} title
 * @param {(string | null)[]} lines
 * @param {string | null} reason
 */
export function mapCard(load, title, lines, reason = null) {
  const picture = load ? el("small-map").serve(load) : el("div", { class: "well small-map" }, el("span", { class: "small muted" }, reason ?? t("trust.noMap")));
  return el("li", {}, picture, el("p", { class: "trust-card-title" }, title), ...lines.flatMap((line) => line ?? []).map((line) => el("p", { class: "muted" }, line)));
}

/**
 * @param {Panel} panel
 * @param {string[]} lines
 */
const judged = ({ raw }, lines = []) => mapCard(raw ? () => raw : null, t("trust.this"), lines);

/** @param {Record<string, any>} found */
const likenessLines = ({ rank_correlation: rank, ssim }) => [t("trust.rank", { value: similarity(rank) }), t("trust.ssim", { value: similarity(ssim) })];

/** @param {Node} maps */
const explained = (maps) => el("div", {}, maps, el("p", { class: "small muted trust-note" }, t("trust.likeness.means")));

/**
 * @param {any} measured
 * @param {Panel} panel
 */
export function classFigure(measured, panel) {
  const cards = measured.figures.classes.map((/** @type {Record<string, any>} */ { target, label, random, ...found }) => mapCard(
    () => arrayOf(measured, String(target)), el("span", { lang: "en" }, label ?? String(target)), [...likenessLines(found), random ? t("trust.drawn") : null]));
  return explained(el("ul", { class: "trust-maps" }, judged(panel, [panel.target?.label ?? ""]), ...cards));
}

/**
 * @param {any} measured
 * @param {Panel} panel
 */
export function stabilityFigure(measured, panel) {
  const { score: here, trials } = measured.figures;
  const cards = trials.map((/** @type {Record<string, any>} */ { id, score: there, ...found }) => mapCard(
    () => arrayOf(measured, id), t(`trust.trial.${id}`), [...likenessLines(found), t("trust.score", { value: score(there) })]));
  return explained(el("ul", { class: "trust-maps" }, judged(panel, [t("trust.score", { value: score(here) })]), ...cards));
}
