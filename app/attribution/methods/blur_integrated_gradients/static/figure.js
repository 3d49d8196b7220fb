// The picture coming out of a blur, which is computed here.
// `edges` are the blur's σ at the slider's positions, the largest first.

import { assetsBeside, picture, pixelsOf } from "../../../js/methods/assets.js";
import { blurred } from "../../../js/methods/blur.js";
import { Slider, view } from "../../../js/methods/parts.js";
import { chartOf, showAccumulated } from "../../../js/methods/path.js";
import { contextOf } from "../../../js/shared/dom.js";
import { number } from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";

const own = assetsBeside(import.meta.url);

/** @import { Axis } from "../../../js/shared/chart.js" */

/** @param {HTMLElement} root */
export async function start(root) {
  const [{ edges, path }, image, strip] = await Promise.all([own.numbers("figure"), picture("seen-cat"), own.strip("figure")]);
  const sharp = pixelsOf(image);
  const blurredByIndex = new Map();
  const largestSigma = edges[0];
  // σ falls with the square, as the steps of the method do: equal distances are equal shares of the path.
  /** @type {Axis} */
  const x = { ticks: [50, 30, 20, 10, 5, 1, 0], label: t("learn.read.blur_integrated_gradients.x"), at: (sigma) => 1 - Math.sqrt(sigma / largestSigma) };
  const chart = chartOf(root, x, edges, path);

  /** @param {number} index */
  function at(index) {
    if (!blurredByIndex.has(index)) blurredByIndex.set(index, blurred(sharp, edges[index]));
    return blurredByIndex.get(index);
  }

  new Slider(root, (index) => {
    contextOf(view(root, "picture")).putImageData(at(index), 0, 0);
    const numbersThere = showAccumulated(root, { strip, chart, edges, path }, index);
    return t("learn.read.blur_integrated_gradients", { sigma: number(edges[index]), ...numbersThere });
  });
}
