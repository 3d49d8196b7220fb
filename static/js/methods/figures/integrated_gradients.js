// The picture fading in from a baseline.

import { numbers, picture, Strip } from "../assets.js";
import { chosen, onChoice, Slider, view } from "../parts.js";
import { contextOf } from "../../shared/dom.js";
import { number } from "../../shared/format.js";
import { t } from "../../shared/texts.js";
import { chartOf, linesOf, showGathered } from "./path.js";

const strips = new Map();

/** @param {string} baseline */
function load(baseline) {
  if (!strips.has(baseline)) strips.set(baseline, Strip.load(`integrated-${baseline}`));
  return strips.get(baseline);
}

/**
 * x′ + α (x − x′) for a baseline of one colour.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} seen
 * @param {string} baseline
 * @param {number} alpha
 */
function fade(canvas, seen, baseline, alpha) {
  const context = contextOf(canvas);
  context.globalAlpha = 1;
  context.fillStyle = baseline;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.globalAlpha = alpha;
  context.drawImage(seen, 0, 0);
}

/** @param {HTMLElement} root */
export async function start(root) {
  let baseline = chosen(root);
  const [{ edges, paths }, seen, first] = await Promise.all([numbers("integrated"), picture("seen-cat"), load(baseline)]);
  let strip = first;
  const chart = chartOf(root, { ticks: [0, 0.25, 0.5, 0.75, 1], label: t("learn.read.integrated.x") }, edges, paths[baseline]);

  const slider = new Slider(root, (place) => {
    fade(view(root, "picture"), seen, baseline, edges[place]);
    const numbersThere = showGathered(root, { strip, chart, edges, path: paths[baseline] }, place);
    return t("learn.read.integrated", { alpha: number(edges[place]), ...numbersThere });
  });
  onChoice(root, async (value) => {
    const loaded = await load(value);
    if (chosen(root) !== value) return;
    baseline = value;
    strip = loaded;
    chart.set({ lines: linesOf(edges, paths[baseline]) });
    slider.update();
  });
}
