// Weight randomisation: how alike the map stays as layer after layer is drawn at random, and the map at each stage.

import { arrayOf } from "../../../js/metrics/metric-maps.js";
import { similarity, ticksBetween } from "../../../js/metrics/metric-text.js";
import { Chart } from "../../../js/shared/chart.js";
import { el } from "../../../js/shared/dom.js";
import { t } from "../../../js/shared/texts.js";

const MEASURES = { rank_correlation: "first strong", ssim: "second" };

function chartOf(place, { layers, stages }) {
  const points = (measure) => [[0, 1], ...stages.filter((stage) => Number.isFinite(stage[measure])).map((stage) => [stage.count, stage[measure]])];
  const lines = Object.entries(MEASURES).map(([measure, kind]) => ({ name: t(`trust.figure.randomisation.${measure}`), kind, points: points(measure) }));
  const least = Math.min(0, ...lines.flatMap((line) => line.points.map(([, value]) => value)));
  return new Chart(place, {
    x: { ticks: [0, ...(layers > 3 ? [Math.round(layers / 2)] : []), layers], label: t("trust.figure.randomisation.layers") },
    y: { ticks: ticksBetween(least, 1), label: t("trust.figure.randomisation.likeness") },
    lines,
  });
}

const numbers = (stage) => t("trust.figure.randomisation.stage.numbers", { rank: similarity(stage.rank_correlation), ssim: similarity(stage.ssim) });

export function figure(measured, { raw }) {
  const { layers, stages } = measured.figures;
  const place = el("div", { class: "chart" });
  const chart = chartOf(place, measured.figures);
  const readout = el("p", { class: "small trust-readout" });

  function show(stage) {
    const values = Object.keys(MEASURES).map((measure) => stage[measure]).filter(Number.isFinite);
    chart.mark(stage.count, values);
    readout.textContent = sentence(stage);
  }

  function sentence(stage) {
    if (!stage.count) return t("trust.figure.randomisation.stage.none");
    const about = t(stage.count === 1 ? "trust.figure.randomisation.stage.one" : "trust.figure.randomisation.stage", { count: stage.count, of: layers, layer: stage.layer });
    return `${about} ${stage.reason ?? numbers(stage)}`;
  }

  function card(stage, load) {
    const picture = load ? el("small-map").serve(load) : el("span", { class: "well small-map" }, el("span", { class: "small muted" }, t("trust.noMap")));
    const look = () => show(stage);
    return el("li", {}, el("button", { type: "button", class: "trust-stage", "aria-label": sentence(stage), onclick: look, onfocus: look, onpointermove: ({ movementX, movementY }) => (movementX || movementY) && look() },
      picture, el("span", {}, stage.count ? t("trust.figure.randomisation.stage.short", { count: stage.count }) : t("trust.this")),
      el("span", { class: "muted" }, stage.count ? similarity(stage.rank_correlation) : "")));
  }

  const original = { count: 0, rank_correlation: 1, ssim: 1 };
  const cards = stages.map((stage) => card(stage, String(stage.count) in measured.maps ? () => arrayOf(measured, String(stage.count)) : null));
  show(stages.at(-1));
  return el("div", { class: "trust-randomisation" }, place, readout, el("ul", { class: "trust-maps stages" }, card(original, raw ? () => raw : null), ...cards));
}
