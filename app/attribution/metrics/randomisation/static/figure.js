// Weight randomisation: how alike the map stays as layer after layer is drawn at random, and the map at each stage.

import { arrayOf } from "../../../js/metrics/metric-maps.js";
import { correlation } from "../../../js/metrics/headline.js";
import { similarity, ticksBetween } from "../../../js/metrics/metric-text.js";
import { Chart } from "../../../js/shared/chart.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";

/**
 * @import { RawArray } from "../../../js/rendering/types.js"
 * @import { Panel } from "../../../js/state/types.js"
 */

/** @typedef {Record<string, any>} Stage {count, layer, rank_correlation, ssim, reason} */

const MEASURES = { rank_correlation: "first strong", ssim: "second" };

/**
 * @param {HTMLElement} container
 * @param {{ layers: number, stages: Stage[] }} figures
 */
function chartOf(container, { layers, stages }) {
  /** @param {string} measure */
  const points = (measure) => [[0, 1], ...stages.filter((stage) => Number.isFinite(stage[measure])).map((stage) => [stage.count, stage[measure]])];
  const lines = Object.entries(MEASURES).map(([measure, kind]) => ({ name: t(`trust.figure.randomisation.${measure}`), kind, points: points(measure) }));
  const least = Math.min(0, ...lines.flatMap((line) => line.points.map(([, value]) => value)));
  return new Chart(container, {
    x: { ticks: [0, ...(layers > 3 ? [Math.round(layers / 2)] : []), layers], label: t("trust.figure.randomisation.layers") },
    y: { ticks: ticksBetween(least, 1), label: t("trust.figure.randomisation.similarity") },
    lines,
  });
}

/** @param {Stage} stage */
const numbers = (stage) => t("trust.figure.randomisation.stage.numbers", { rank: similarity(stage.rank_correlation), ssim: similarity(stage.ssim) });

/**
 * @param {any} measured
 * @param {Panel} panel
 */
export function figure(measured, { raw }) {
  const { layers, stages } = measured.figures;
  const container = el("div", { class: "chart" });
  const chart = chartOf(container, measured.figures);
  const readout = el("p", { class: "small trust-readout" });

  /** @param {Stage} stage */
  function show(stage) {
    const values = Object.keys(MEASURES).map((measure) => stage[measure]).filter(Number.isFinite);
    chart.mark(stage.count, values);
    readout.textContent = sentence(stage);
  }

  /** @param {Stage} stage */
  function sentence(stage) {
    if (!stage.count) return t("trust.figure.randomisation.stage.none");
    const about = t(stage.count === 1 ? "trust.figure.randomisation.stage.one" : "trust.figure.randomisation.stage", { count: stage.count, of: layers, layer: stage.layer });
    return `${about} ${stage.reason ?? numbers(stage)}`;
  }

  /**
   * @param {Stage} stage
   * @param {(() => RawArray | Promise<RawArray>) | null} load
   */
  function card(stage, load) {
    const picture = load ? el("small-map").loadWith(load) : el("span", { class: "well small-map" }, el("span", { class: "small muted" }, t("trust.noMap")));
    const look = () => show(stage);
    return el("li", {}, el("button", { type: "button", class: "trust-stage", "aria-label": sentence(stage), onclick: look, onfocus: look, onpointermove: ({ movementX, movementY }) => (movementX || movementY) && look() },
      picture, el("span", {}, stage.count ? t("trust.figure.randomisation.stage.short", { count: stage.count }) : t("trust.this")),
      el("span", { class: "muted" }, stage.count ? similarity(stage.rank_correlation) : "")));
  }

  const original = { count: 0, rank_correlation: 1, ssim: 1 };
  const cards = stages.map((/** @type {Stage} */ stage) => card(stage, String(stage.count) in measured.maps ? () => arrayOf(measured, String(stage.count)) : null));
  show(stages.at(-1));
  return el("div", { class: "trust-randomisation" }, container, readout, el("ul", { class: "trust-maps stages" }, card(original, raw ? () => raw : null), ...cards));
}

/**
 * How alike the map is once all layers are random.
 * @param {any} measured
 */
export const headline = ({ figures }) => correlation(figures.stages.at(-1)?.rank_correlation);
