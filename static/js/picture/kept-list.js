import { explainPicture } from "../controller/controller.js";
import { el, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { dropStrip, keptStrips, putBack, stripsToOffer, takeStrip } from "./kept-strips.js";

/** @import { KeptPicture } from "./picture-store.js" */

const MAX_STRIPS = 3;
const MAX_THUMBS = 6;

/** On the start page: the pictures that were chosen earlier and are kept in this browser; nothing where there are none. */
export class KeptList extends View {
  /** @type {HTMLUListElement} */ list;
  /** @type {HTMLButtonElement} */ undo;
  /** @type {string[]} */ urls = [];

  /** @type {KeptPicture[] | null} */
  #removed = null;

  build() {
    this.list = el("ul", { class: "kept" });
    this.undo = el("button", { type: "button", class: "button", hidden: true, onclick: () => this.putBack() }, t("history.undo"));
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", "kept-title");
    this.append(el("h2", { class: "section-title", id: "kept-title" }, t("kept.title")), this.list, this.undo);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    keptStrips.addEventListener("change", () => this.show(), { signal });
    store.watch(["phase"], () => this.show(), signal);
  }

  async show() {
    if (store.state.phase !== "empty") {
      this.#removed = null;
      return;
    }
    const strips = await stripsToOffer();
    for (const url of this.urls) URL.revokeObjectURL(url);
    this.urls = [];
    this.hidden = strips.length === 0 && !this.#removed;
    this.list.replaceChildren(...strips.slice(0, MAX_STRIPS).map((kept) => this.row(kept)));
    this.undo.hidden = !this.#removed;
  }

  /** @param {KeptPicture[]} kept */
  async takeOut(kept) {
    this.#removed = kept;
    await dropStrip(kept[0].strip);
    await this.show();
    this.undo.focus();
  }

  async putBack() {
    const kept = this.#removed ?? [];
    this.#removed = null;
    await putBack(kept);
    await this.show();
    /** @type {HTMLElement | null} */ (this.list.querySelector(".kept-open"))?.focus();
  }

  /** @param {KeptPicture[]} kept */
  row(kept) {
    const unsent = kept.filter(({ id, file }) => file && !id).length;
    const words = [t(kept.length === 1 ? "kept.one" : "kept.count", { count: kept.length }), unsent && kept.length > 1 ? t("kept.unsent", { count: unsent }) : null].filter(Boolean).join(", ");
    const names = kept.map(({ name }) => name).filter(Boolean).join(", ");
    const open = () => explainPicture(takeStrip(kept)[0]);
    return el("li", { class: "kept-strip" },
      el("button", { type: "button", class: "kept-open", onclick: open, title: names },
        el("span", { class: "kept-thumbs" }, ...kept.slice(0, MAX_THUMBS).map((picture) => el("img", { src: this.urlOf(picture), alt: "", width: 48, height: 48, decoding: "async" }))),
        el("span", {}, words, " · ", el("span", { class: "kept-go" }, t("kept.open")))),
      iconButton("close", t("kept.remove", { count: kept.length }), { onclick: () => this.takeOut(kept) }));
  }

  /** @param {KeptPicture} picture */
  urlOf({ file, url }) {
    if (!file) return url ?? "";
    const address = URL.createObjectURL(file);
    this.urls.push(address);
    return address;
  }
}
