import { drawStrip } from "../rendering/palettes.js";
import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";

/** @import { DrawnScale } from "../rendering/types.js" */

const NEAR = 0.005; // by which the share that is shown may miss what was asked for, unsaid

/**
 * An outline, regions and a window show the strongest pixels without colours: only the threshold is written.
 * @param {DrawnScale} scale
 */
export const isPlain = ({ show }) => show === "outline" || show === "regions" || show === "window";

/**
 * Where the strongest pixels begin, and how many they are, where that is not what was asked for: a region is in or out as
 * a whole.
 * @param {DrawnScale} scale
 */
export function topText({ top, threshold, share }) {
  const value = format.number(threshold ?? NaN);
  return Math.abs(share - top / 100) > NEAR ? t("scale.top.share", { top, share: format.percent(share), value }) : t("scale.top", { top, value });
}

/** The palette with the values that its ends stand for, in the units of the map. */
export class ScaleBar extends HTMLElement {
  /** @type {HTMLCanvasElement} */ strip;
  /** @type {HTMLSpanElement} */ low;
  /** @type {HTMLSpanElement} */ middle;
  /** @type {HTMLSpanElement} */ high;

  /** @type {Uint32Array | null} */
  #colours = null;

  connectedCallback() {
    if (this.strip) return;
    this.strip = el("canvas", { class: "strip", "aria-hidden": "true" });
    this.low = el("span");
    this.middle = el("span");
    this.high = el("span");
    this.append(this.strip, el("div", { class: "ticks" }, this.low, this.middle, this.high));
  }

  /** @param {DrawnScale | null} scale */
  show(scale) {
    const plain = scale !== null && isPlain(scale);
    this.classList.toggle("vacant", !scale || plain);
    this.low.textContent = this.middle.textContent = this.high.textContent = this.title = "";
    if (plain) this.low.textContent = topText(scale);
    else if (scale) this.showEnds(scale);
  }

  /** @param {DrawnScale} scale */
  showEnds({ colours, low, high, symmetric, clipsLow, clipsHigh }) {
    if (this.#colours !== colours) drawStrip(this.strip, colours);
    this.#colours = colours;
    this.low.textContent = (clipsLow ? "≤ " : "") + format.number(low);
    this.middle.textContent = symmetric && high > 0 ? "0" : "";
    this.high.textContent = (clipsHigh ? "≥ " : "") + format.number(high);
    this.title = clipsLow || clipsHigh ? t("scale.clipped") : "";
  }
}
