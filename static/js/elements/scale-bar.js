import { el } from "../dom.js";
import * as format from "../format.js";
import { drawStrip } from "../palettes.js";
import { t } from "../texts.js";

/** The palette with the values that its ends stand for, in the units of the map. */
export class ScaleBar extends HTMLElement {
  #palette = null;

  connectedCallback() {
    if (this.strip) return;
    this.strip = el("canvas", { class: "strip", "aria-hidden": "true" });
    this.low = el("span");
    this.middle = el("span");
    this.high = el("span");
    this.append(this.strip, el("div", { class: "ticks" }, this.low, this.middle, this.high));
  }

  show(scale) {
    this.classList.toggle("vacant", !scale);
    if (!scale) {
      this.low.textContent = this.middle.textContent = this.high.textContent = "";
      return;
    }
    if (this.#palette !== scale.palette) drawStrip(this.strip, scale.palette.colours);
    this.#palette = scale.palette;
    this.low.textContent = (scale.clipsLow ? "≤ " : "") + format.number(scale.low);
    this.middle.textContent = scale.symmetric && scale.high > 0 ? "0" : "";
    this.high.textContent = (scale.clipsHigh ? "≥ " : "") + format.number(scale.high);
    this.title = scale.clipsLow || scale.clipsHigh ? t("scale.clipped") : "";
  }
}
