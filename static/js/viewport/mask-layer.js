// The mask as a layer: a light line with dark edges, as the box has it, and its area while it is drawn.

import { areaOf, outlineOf } from "../arrays/mask.js";
import { el } from "../shared/dom.js";

/** @import { Mask } from "../arrays/mask.js" */

const SVG = "http://www.w3.org/2000/svg";

/** @type {WeakMap<Mask, { area: string, outline: string }>} */
const paths = new WeakMap();

/** @param {Mask} mask */
function pathsOf(mask) {
  const known = paths.get(mask) ?? { area: areaOf(mask), outline: outlineOf(mask) };
  paths.set(mask, known);
  return known;
}

/** Draws itself anew only where the mask has changed. */
export class MaskLayer {
  /** @type {Mask | null} */
  #drawn = null;

  constructor() {
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.append(...["area", "dark", "light"].map((name) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", name);
      return path;
    }));
    this.node = el("div", { class: "mask", hidden: true }, this.svg);
  }

  /** @param {Mask | null} mask */
  show(mask) {
    this.node.hidden = !mask;
    if (!mask || mask === this.#drawn) return;
    this.#drawn = mask;
    this.svg.setAttribute("viewBox", `0 0 ${mask.width} ${mask.height}`);
    const { area, outline } = pathsOf(mask);
    [area, outline, outline].forEach((path, index) => this.svg.children[index].setAttribute("d", path));
  }
}
