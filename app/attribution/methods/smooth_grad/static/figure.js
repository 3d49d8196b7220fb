// Noisy copies, the gradient of each, and the running mean.
// `stops` are the numbers of copies at the slider's positions; a level is an index into `levels`, one for each noise.

import { assetsBeside } from "../../../js/methods/assets.js";
import { chosen, onChoice, Slider, setFactText, view } from "../../../js/methods/parts.js";
import { Chart } from "../../../js/shared/chart.js";
import { number } from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";

const own = assetsBeside(import.meta.url);

/** @import { Line } from "../../../js/shared/chart.js" */

const PARTS = ["copies", "single", "mean"];
const strips = new Map();

/**
 * The strips of one level of noise; fetched when it is first looked at.
 * @param {number} level
 */
function load(level) {
  if (!strips.has(level)) strips.set(level, Promise.all(PARTS.map((part) => own.strip(`${level}-${part}`, part !== "copies"))));
  return strips.get(level);
}

/** @param {HTMLElement} root */
export async function start(root) {
  let level = Number(chosen(root));
  const [{ stops, levels, reference }, first] = await Promise.all([own.numbers("figure"), load(level)]);
  let [copies, single, mean] = first;
  /** @returns {Line[]} */
  const lines = () => levels.map((/** @type {{ noise: number, cosines: number[] }} */ { noise, cosines }, /** @type {number} */ i) => ({
    name: t("learn.read.smooth_grad.line", { noise }),
    points: cosines.map((value, k) => [k + 1, value]),
    kind: `${["third", "first", "second"][i]}${i === level ? " strong" : ""}`,
  }));
  const chart = new Chart(/** @type {HTMLElement} */ (root.querySelector("[data-chart]")), {
    x: { ticks: [1, 10, 20, 30, 40, 50], label: t("learn.read.smooth_grad.x") },
    y: { ticks: [0, 0.5, 1], label: t("learn.read.smooth_grad.y", { reference }) },
    lines: lines(),
  });

  /** @param {number} index */
  function show(index) {
    const count = stops[index];
    const { scores, cosines, clips } = levels[level];
    copies.draw(view(root, "copy"), index);
    single.draw(view(root, "single"), index);
    mean.draw(view(root, "mean"), index);
    setFactText(root, "single", `≥ ${number(clips.single[index])}`);
    setFactText(root, "mean", `≥ ${number(clips.mean[index])}`);
    chart.mark(count, [cosines[count - 1]]);
    const reading = { count, score: number(scores[count - 1]), cosine: number(cosines[count - 1]) };
    return t(count === 1 ? "learn.read.smooth_grad.one" : "learn.read.smooth_grad", reading);
  }

  const slider = new Slider(root, show);
  onChoice(root, async (value) => {
    const wanted = Number(value);
    const loaded = await load(wanted);
    if (Number(chosen(root)) !== wanted) return;
    level = wanted;
    [copies, single, mean] = loaded;
    chart.set({ lines: lines() });
    slider.update();
  });
}
