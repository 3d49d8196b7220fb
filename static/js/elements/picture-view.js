import { el } from "../dom.js";
import { choose } from "../intake.js";
import { store } from "../store.js";
import { t } from "../texts.js";
import { View } from "./view.js";

/** The picture as it came, with the frame of what the model saw. */
export class PictureView extends View {
  build() {
    this.image = el("img", { class: "original", alt: t("picture.alt") });
    this.frame = el("div", { class: "crop", hidden: true });
    this.stage = el("div", { class: "stage" }, this.image, this.frame);
    this.unreadable = el("p", { class: "small unreadable", hidden: true }, t("picture.unreadable"));
    this.caption = el("p", { class: "small muted caption" });
    const replace = el("button", { type: "button", class: "link", onclick: choose }, t("picture.replace"));
    this.append(el("div", { class: "well picture-well" }, this.stage, this.unreadable), el("div", { class: "caption-row" }, this.caption, replace));
    this.image.addEventListener("load", () => this.readable(true));
    this.image.addEventListener("error", () => this.readable(false));
  }

  listen(signal) {
    store.watch(["picture"], ({ picture }) => this.load(picture), signal);
    store.watch(["picture", "inputs"], () => this.mark(), signal);
  }

  load(picture) {
    if (!picture) {
      this.image.removeAttribute("src");
      return;
    }
    if (this.image.getAttribute("src") !== picture.url) this.image.src = picture.url;
  }

  readable(yes) {
    this.stage.hidden = !yes;
    this.unreadable.hidden = yes;
    this.mark();
  }

  /** Frame and caption; the crop is in pixels of the upright original. */
  mark() {
    const { picture, inputs } = store.state;
    const width = picture?.width ?? this.image.naturalWidth;
    const height = picture?.height ?? this.image.naturalHeight;
    const input = inputs.values().next().value;
    const known = Boolean(width && height);
    this.frame.hidden = !(known && input?.crop);
    this.caption.textContent = known ? this.describe(width, height, input) : (picture?.name ?? "");
    if (this.frame.hidden) return;
    const [x0, y0, x1, y1] = input.crop;
    const style = this.frame.style;
    style.left = `${(100 * x0) / width}%`;
    style.top = `${(100 * y0) / height}%`;
    style.width = `${(100 * (x1 - x0)) / width}%`;
    style.height = `${(100 * (y1 - y0)) / height}%`;
  }

  describe(width, height, input) {
    if (!input?.crop) return t("picture.size", { width, height });
    const [x0, y0, x1, y1] = input.crop;
    const whole = x1 - x0 >= width && y1 - y0 >= height;
    const [seenHigh, seen] = input.size;
    return t(whole ? "picture.whole" : "picture.crop", { width, height, seen, seenHigh });
  }
}
