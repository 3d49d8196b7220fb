import { drawStrip } from "../rendering/palettes.js";
import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";

/** @import { DrawnScale } from "../rendering/types.js" */

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
    // An outline and a window show the strongest pixels without colours: only the threshold is written.
    const plain = scale?.show === "outline" || scale?.show === "window";
    this.classList.toggle("vacant", !scale || plain);
    this.low.textContent = this.middle.textContent = this.high.textContent = this.title = "";
    if (plain) this.low.textContent = t("scale.top", { top: scale.top, value: format.number(scale.threshold ?? NaN) });
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
