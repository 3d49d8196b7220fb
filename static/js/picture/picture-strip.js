import { arrange, el, icon, iconButton } from "../shared/dom.js";
import { commandOf } from "../shared/keys.js";
import { t } from "../shared/texts.js";
import { openOverview } from "../state/actions.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { choose } from "./picture-input.js";
import { pause, statusOf } from "./picture-queue.js";
import { choosePicture, removePicture } from "./pictures.js";

/** @import { PictureEntry } from "../state/types.js" */

/**
 * Where a key leads, from the place of the picture that is shown.
 * @type {Record<string, (index: number, count: number) => number>}
 */
const WAYS = {
  previous: (index, count) => (index - 1 + count) % count,
  next: (index, count) => (index + 1) % count,
  first: () => 0,
  last: (_, count) => count - 1,
};

/** Several pictures as a row of thumbnails, of which one is shown (ARIA's radio group), and how far all of them are. */
export class PictureStrip extends View {
  /** @type {HTMLDivElement} */ list;
  /** @type {HTMLButtonElement} */ add;
  /** @type {HTMLButtonElement} */ removeButton;
  /** @type {HTMLButtonElement} */ all;
  /** @type {HTMLSpanElement} */ tally;
  /** @type {HTMLButtonElement} */ hold;

  /** @type {Map<string | undefined, HTMLButtonElement>} */
  #thumbs = new Map();

  build() {
    this.list = el("div", { class: "thumbs", role: "radiogroup", "aria-label": t("strip.title"), onkeydown: (event) => this.key(event) });
    this.add = el("button", { type: "button", class: "icon-button", title: t("strip.add"), "aria-label": t("strip.add"), onclick: choose }, icon("plus"));
    this.removeButton = iconButton("close", t("strip.remove"), { onclick: () => store.state.picture && removePicture(store.state.picture.key) });
    this.all = el("button", { type: "button", class: "link strip-count", "aria-haspopup": "dialog", onclick: () => openOverview(true) });
    this.tally = el("span", { class: "small muted strip-tally" });
    this.hold = el("button", { type: "button", class: "link", onclick: () => pause(!store.state.paused) });
    this.append(this.list, el("div", { class: "strip-actions" }, this.removeButton, this.add), el("div", { class: "strip-line small" }, this.all, this.tally, this.hold));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["pictures", "picture"], () => this.show(), signal);
    store.watch(["pictures", "picture", "pictureJobs", "phase", "paused", "ask", "layout"], () => this.showStatus(), signal);
  }

  show() {
    const { pictures, picture } = store.state;
    this.hidden = pictures.length < 2;
    this.#thumbs = new Map(pictures.map((entry) => [entry.key, this.#thumbs.get(entry.key) ?? this.thumb(entry)]));
    arrange(this.list, [...this.#thumbs.values()]);
    pictures.forEach(({ key, name }, index) => {
      const thumb = this.#thumbs.get(key);
      if (!thumb) return;
      const current = key === picture?.key;
      const label = name ?? t("strip.picture", { number: index + 1 });
      thumb.setAttribute("aria-checked", String(current));
      thumb.setAttribute("aria-label", label);
      thumb.title = label;
      thumb.tabIndex = current ? 0 : -1;
    });
    if (!this.hidden) this.#thumbs.get(picture?.key)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  showStatus() {
    const { pictures, picture, paused } = store.state;
    if (pictures.length < 2) return;
    const statuses = pictures.map(statusOf);
    pictures.forEach(({ key }, index) => this.#thumbs.get(key)?.setAttribute("data-status", statuses[index]));
    const place = { number: pictures.findIndex(({ key }) => key === picture?.key) + 1, count: pictures.length };
    this.all.textContent = t("strip.count", place);
    this.all.setAttribute("aria-label", t("strip.count.heard", place));
    /** @param {string} status */
    const countOf = (status) => statuses.filter((each) => each === status).length;
    const left = countOf("waiting") + countOf("computing");
    const failed = countOf("failed");
    this.tally.textContent = [left ? t(paused ? "strip.held" : "strip.left", { count: left }) : t("strip.done", { count: countOf("done") }), failed ? t("strip.failed", { count: failed }) : null].filter(Boolean).join(", ");
    this.hold.hidden = !left;
    this.hold.textContent = t(paused ? "strip.resume" : "strip.pause");
    this.hold.title = t(paused ? "strip.resume.long" : "strip.pause.long");
  }

  /** @param {PictureEntry} entry */
  thumb({ key, url }) {
    return el("button", { type: "button", class: "thumb", role: "radio", onclick: () => choosePicture(key) },
      el("img", { src: url, alt: "", width: 48, height: 48, decoding: "async" }));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const keys = store.state.pictures.map((entry) => entry.key);
    const index = keys.indexOf(store.state.picture?.key ?? "");
    const command = commandOf("strip", event);
    if (!command || !keys.length) return;
    if (command === "remove") removePicture(keys[index]);
    else choosePicture(keys[WAYS[command](index, keys.length)]);
    event.preventDefault();
    this.#thumbs.get(store.state.picture?.key)?.focus();
  }
}
