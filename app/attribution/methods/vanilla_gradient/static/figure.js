// The score and the gradient on the way from the picture into noise. `places` are how much noise there
// is, in grey levels, at the slider's positions; `curve` is the score at levels in between, too.

import { assetsBeside } from "../../../js/methods/assets.js";
import { Slider, setFactText, view } from "../../../js/methods/parts.js";
import { Chart } from "../../../js/shared/chart.js";
import { number } from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";

const own = assetsBeside(import.meta.url);

/** @param {HTMLElement} root */
export async function start(root) {
  const [record, pictures, maps] = await Promise.all([own.numbers("figure"), own.strip("pictures", false), own.strip("maps")]);
  /** @type {Record<string, number[]>} */
  const { places, scores, cosines, clips } = record;
  /** @param {number} score */
  const relative = (score) => score / scores[0];
  /** @type {number[][]} */
  const [levels, curve] = record.curve;
  const chart = new Chart(/** @type {HTMLElement} */ (root.querySelector("[data-chart]")), {
    x: { ticks: [0, 2, 4, 6, 8], label: t("learn.read.vanilla_gradient.x") },
    y: { ticks: [0, 0.5, 1] },
    lines: [
      { name: t("learn.read.vanilla_gradient.score"), points: levels.map((level, i) => [level, relative(curve[i])]), kind: "first" },
      { name: t("learn.read.vanilla_gradient.cosine"), points: places.map((level, i) => [level, cosines[i]]), kind: "second" },
    ],
  });
  new Slider(root, (index) => {
    pictures.draw(view(root, "picture"), index);
    maps.draw(view(root, "map"), index);
    setFactText(root, "map", `≥ ${number(clips[index])}`);
    chart.mark(places[index], [relative(scores[index]), cosines[index]]);
    return t("learn.read.vanilla_gradient", { level: number(places[index], 2), score: number(scores[index]), cosine: number(cosines[index]) });
  });
}
