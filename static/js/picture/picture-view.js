import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { shownInput } from "../state/models.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { originalOf, originalSize } from "./fit-upload.js";
import { choose } from "./picture-input.js";

/**
 * @import { InputBody } from "../api/types.js"
 * @import { Picture } from "../state/types.js"
 */

const TINY = 64; // pictures no wider are enlarged by whole pixels
const HALF = 0.5; // pixels by which a rounded frame may miss an edge

/**
 * @param {number[]} one
 * @param {number[]} other
 */
const unionOf = ([a0, b0, a1, b1], [c0, d0, c1, d1]) => [Math.min(a0, c0), Math.min(b0, d0), Math.max(a1, c1), Math.max(b1, d1)];

/**
 * Whether the first box has anything outside the second.
 * @param {number[]} one
 * @param {number[]} other
 */
const reaches = ([a0, b0, a1, b1], [c0, d0, c1, d1]) => a0 < c0 - HALF || b0 < d0 - HALF || a1 > c1 + HALF || b1 > d1 + HALF;

/**
 * Places `node` at a box, within the stage that shows `around`; both in pixels of the picture.
 * @param {HTMLElement} node
 * @param {number[]} box
 * @param {number[]} around
 */
function put(node, [x0, y0, x1, y1], [left, top, right, bottom]) {
  const [width, height] = [right - left, bottom - top];
  Object.assign(node.style, {
    left: `${(100 * (x0 - left)) / width}%`,
    top: `${(100 * (y0 - top)) / height}%`,
    width: `${(100 * (x1 - x0)) / width}%`,
    height: `${(100 * (y1 - y0)) / height}%`,
  });
}

/** The picture as it came, with the frame of what the model saw; where it was padded, the frame reaches beyond. */
export class PictureView extends View {
  /** @type {HTMLImageElement} */ image;
  /** @type {HTMLDivElement} */ frame;
  /** @type {HTMLDivElement} */ stage;
  /** @type {HTMLParagraphElement} */ unreadable;
  /** @type {HTMLParagraphElement} */ caption;

  build() {
    this.image = el("img", { class: "original", alt: t("picture.alt"), fetchpriority: "low" });
    this.frame = el("div", { class: "crop", hidden: true });
    this.stage = el("div", { class: "stage" }, this.image, this.frame, el("picture-box"));
    this.unreadable = el("p", { class: "small unreadable", hidden: true }, t("picture.unreadable"));
    this.caption = el("p", { class: "small muted caption" });
    const replace = el("button", { type: "button", class: "link", onclick: choose }, t("picture.replace"));
    this.append(el("div", { class: "well picture-well" }, this.stage, this.unreadable), el("div", { class: "caption-row" }, this.caption, replace, el("box-fields"), el("mask-fields")));
    this.image.addEventListener("load", () => this.readable(true));
    this.image.addEventListener("error", () => this.readable(false));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["picture"], ({ picture }) => this.load(picture), signal);
    store.watch(["picture", "pictures", "inputs", "ask", "layout", "row", "models"], () => this.mark(), signal);
  }

  /** @param {Picture | null} picture */
  load(picture) {
    if (!picture) {
      this.image.removeAttribute("src");
      return;
    }
    if (this.image.getAttribute("src") !== picture.url) this.image.src = picture.url;
  }

  /** @param {boolean} yes */
  readable(yes) {
    this.stage.hidden = !yes;
    this.unreadable.hidden = yes;
    this.mark();
  }

  /** Frame and caption; the crop is in pixels of the upright original. */
  mark() {
    const { picture } = store.state;
    const width = picture?.width ?? this.image.naturalWidth;
    const height = picture?.height ?? this.image.naturalHeight;
    const input = shownInput();
    const known = Boolean(width && height);
    const crop = known && input?.crop;
    this.frame.hidden = !crop;
    const entry = store.state.pictures.find(({ key }) => key === picture?.key);
    const before = originalSize(entry?.source?.value);
    const format = originalOf(entry?.source?.value)?.format;
    const scaled = [before ? ` · ${t("picture.scaled", before)}` : "", format ? ` · ${t("picture.converted", { format })}` : ""].join("");
    this.caption.textContent = known ? this.describe(width, height, input) + scaled : (picture?.name ?? "");
    if (!known) return;
    const original = [0, 0, width, height];
    const around = crop ? unionOf(original, crop) : original;
    this.stage.classList.toggle("padded", reaches(around, original));
    this.stage.classList.toggle("tiny", Math.max(width, height) <= TINY);
    this.stage.style.setProperty("--wide", String(around[2] - around[0]));
    this.stage.style.setProperty("--ratio", String((around[2] - around[0]) / (around[3] - around[1])));
    put(this.image, original, around);
    if (crop) put(this.frame, crop, around);
  }

  /**
   * @param {number} width
   * @param {number} height
   * @param {InputBody | undefined} input
   */
  describe(width, height, input) {
    if (!input?.crop) return t("picture.size", { width, height });
    const original = [0, 0, width, height];
    const [seenHigh, seen] = input.size;
    const seesAll = !reaches(original, input.crop);
    const fit = !seesAll ? "crop" : reaches(input.crop, original) ? "padded" : input.fit === "squash" ? "squashed" : "whole";
    return t(`picture.${fit}`, { width, height, seen, seenHigh });
  }
}
