// What stands under the crosshair and in box or mask, as short statements.

import { maskOfInput, sharesOfMask } from "../arrays/mask.js";
import { rankOf, sharesOf } from "../arrays/statistics.js";
import { arrayOf, mapOf } from "../rendering/draw.js";
import { colourAt } from "../rendering/picture-colours.js";
import { reduce } from "../rendering/reduction.js";
import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { helped } from "../shared/help.js";
import { t } from "../shared/texts.js";
import { store } from "../state/store.js";
import { boxToPanel, toPanel } from "./geometry.js";
import { cropOf, crossedPixel, panelName } from "./viewport.js";

/**
 * @import { ReducedMap } from "../rendering/types.js"
 * @import { Panel } from "../state/types.js"
 * @import { MapLens } from "./map-lens.js"
 */

/** @param {number} rank */
const rankText = (rank) => `${(100 * rank).toFixed(1)} %`;

/**
 * {value, rank, colour, place} under the crosshair of a lens; null where its panel has nothing there.
 * @param {MapLens} lens
 */
function crossed({ panel, rendering, crop, seen }) {
  const map = mapOf(panel, rendering);
  const { cross } = store.state.viewport;
  const pixel = crossedPixel(map, crop);
  if (!map || !cross || !pixel) return null;
  const value = map.values[pixel.index];
  const colour = colourAt(seen, toPanel(cross, crop));
  return { value: (map.signed && value > 0 ? "+" : "") + format.number(value), rank: rankText(rankOf(map, value)), colour, place: cross.map(Math.floor) };
}

/** @param {number[]} colour */
function swatch(colour) {
  const node = el("span", { class: "swatch", "aria-hidden": "true" });
  node.style.background = `rgb(${colour.join()})`;
  return node;
}

/**
 * The crosshair's line as nodes.
 * @param {MapLens} lens
 */
export function crossNodes(lens) {
  const found = crossed(lens);
  if (!found) return [t("cross.outside")];
  const { value, rank, colour } = found;
  const nodes = [el("span", { class: "cross-value" }, t("cross.value", { value })), " · "];
  const place = helped(t("cross.rank", { rank }), t("cross.rank.long"));
  if (!colour) return [...nodes, el("span", {}, place)];
  const [red, green, blue] = colour;
  return [...nodes, el("span", {}, place, " ", el("span", { class: "hanging" }, "·")), " ", el("span", { class: "colour" }, swatch(colour), t("cross.colour", { red, green, blue }))];
}

/**
 * The same as text for a screen reader.
 * @param {MapLens} lens
 */
export function spokenReadout(lens) {
  const found = crossed(lens);
  if (!found) return t("cross.outside");
  const [x, y] = found.place;
  const [red, green, blue] = found.colour ?? ["–", "–", "–"];
  return t("cross.heard", { method: panelName(lens.panel), value: found.value, rank: found.rank, x, y, red, green, blue });
}

/**
 * Shares of a map in the box or the mask; null where neither is drawn.
 * @param {Panel} panel
 * @param {ReducedMap} map
 * @param {ReducedMap} signed
 */
function drawnShares(panel, map, signed) {
  const { box, mask } = store.state.viewport;
  if (mask) return sharesOfMask(map, signed, maskOfInput(mask, cropOf(panel), map));
  return box && sharesOf(map, signed, boxToPanel(box, cropOf(panel)));
}

/**
 * The region's shares of a panel, as facts; a difference of two maps is no attribution to have a share of.
 * @param {Panel} panel
 */
export function regionFacts(panel) {
  if (panel.difference) return [];
  const { rendering, viewport } = store.state;
  const map = mapOf(panel, rendering);
  const array = arrayOf(panel);
  const shares = map && array ? drawnShares(panel, map, reduce(array, "sum")) : null;
  if (!shares) return [];
  const { area, map: share, positive } = shares;
  /** @param {number | null} fraction */
  const text = (fraction) => (fraction === null ? "–" : format.percent(fraction));
  if (!area) return [{ text: t(viewport.mask ? "mask.outside" : "box.outside") }];
  const long = t("box.share", { share: text(share), area: text(area) });
  const facts = [{ text: t("box.map", { share: text(share) }), long }, { text: t("box.area", { area: text(area) }), long }];
  if (positive === null || rendering.reduction === "positive") return facts;
  return [...facts, { text: t("box.part", { positive: text(positive) }), long: t("box.positive", { positive: text(positive) }) }];
}
