// The picture coming out of a blur, which is computed here.

import { numbers, picture, pixelsOf, Strip } from "../assets.js";
import { blurred } from "../blur.js";
import { Slider, view } from "../parts.js";
import { contextOf } from "../../shared/dom.js";
import { number } from "../../shared/format.js";
import { t } from "../../shared/texts.js";
import { chartOf, showGathered } from "./path.js";

/** @import { Axis } from "../../shared/chart.js" */

/** @param {HTMLElement} root */
export async function start(root) {
  const [{ edges, path }, image, strip] = await Promise.all([numbers("blurred"), picture("seen-cat"), Strip.load("blurred")]);
  const sharp = pixelsOf(image);
  const made = new Map();
  const most = edges[0];
  // σ falls with the square, as the steps of the method do: equal distances are equal shares of the path.
  /** @type {Axis} */
  const x = { ticks: [50, 30, 20, 10, 5, 1, 0], label: t("learn.read.blurred.x"), at: (sigma) => 1 - Math.sqrt(sigma / most) };
  const chart = chartOf(root, x, edges, path);

  /** @param {number} place */
  function at(place) {
    if (!made.has(place)) made.set(place, blurred(sharp, edges[place]));
    return made.get(place);
  }

  new Slider(root, (place) => {
    contextOf(view(root, "picture")).putImageData(at(place), 0, 0);
    const there = showGathered(root, { strip, chart, edges, path }, place);
    return t("learn.read.blurred", { sigma: number(edges[place]), ...there });
  });
}
