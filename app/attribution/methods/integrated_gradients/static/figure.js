// The picture fading in from a baseline. `edges` are the shares α of the picture at the slider's positions.

import { assetsBeside, picture } from "../../../js/methods/assets.js";
import { chosen, onChoice, Slider, view } from "../../../js/methods/parts.js";
import { chartOf, linesOf, showAccumulated } from "../../../js/methods/path.js";
import { contextOf } from "../../../js/shared/dom.js";
import { number } from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";

const own = assetsBeside(import.meta.url);

const strips = new Map(); // by baseline: frames of the map accumulated up to each edge

/** @param {string} baseline */
function load(baseline) {
  if (!strips.has(baseline)) strips.set(baseline, own.strip(baseline));
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
  const [{ edges, paths }, seen, first] = await Promise.all([own.numbers("figure"), picture("seen-cat"), load(baseline)]);
  let strip = first;
  const chart = chartOf(root, { ticks: [0, 0.25, 0.5, 0.75, 1], label: t("learn.read.integrated_gradients.x") }, edges, paths[baseline]);

  const slider = new Slider(root, (index) => {
    fade(view(root, "picture"), seen, baseline, edges[index]);
    const numbersThere = showAccumulated(root, { strip, chart, edges, path: paths[baseline] }, index);
    return t("learn.read.integrated_gradients", { alpha: number(edges[index]), ...numbersThere });
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
