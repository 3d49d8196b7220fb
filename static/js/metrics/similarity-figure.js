// Parts of figures: maps that were made for comparison, with how similar they are to the map that is measured.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { similarity } from "./metric-text.js";

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
  const picture = load ? el("small-map").loadWith(load) : el("div", { class: "well small-map" }, el("span", { class: "small muted" }, reason ?? t("trust.noMap")));
  return el("li", {}, picture, el("p", { class: "trust-card-title" }, title), ...lines.flatMap((line) => line ?? []).map((line) => el("p", { class: "muted" }, line)));
}

/**
 * The map that is measured.
 * @param {Panel} panel
 * @param {string[]} lines
 */
export const measuredCard = ({ raw }, lines = []) => mapCard(raw ? () => raw : null, t("trust.this"), lines);

/** @param {Record<string, any>} found */
export const similarityLines = ({ rank_correlation: rank, ssim }) => [t("trust.rank", { value: similarity(rank) }), t("trust.ssim", { value: similarity(ssim) })];

/**
 * Maps with a note below that explains the two similarities.
 * @param {Node} maps
 */
export const withSimilarityNote = (maps) => el("div", {}, maps, el("p", { class: "small muted trust-note" }, t("trust.similarity.means")));
