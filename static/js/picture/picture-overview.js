import { arrange, el, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { openOverview } from "../state/actions.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { choose } from "./picture-input.js";
import { askAll, pause, statusOf } from "./picture-queue.js";
import { choosePicture, removeAll, removeAny } from "./pictures.js";

/** @import { PictureEntry, State } from "../state/types.js" */

/** @typedef {{ item: HTMLElement, button: HTMLButtonElement, name: HTMLElement, status: HTMLElement, remove: HTMLButtonElement }} Card */

/** A sheet with all pictures of the strip: how far each is, what was refused, and a way to take them out. */
export class PictureOverview extends View {
  /** @type {HTMLHeadingElement} */ heading;
  /** @type {HTMLUListElement} */ list;
  /** @type {HTMLButtonElement} */ hold;
  /** @type {HTMLButtonElement} */ again;
  /** @type {HTMLButtonElement} */ clear;
  /** @type {HTMLDivElement} */ sure;
  /** @type {HTMLButtonElement} */ yes;
  /** @type {HTMLDialogElement} */ dialog;
  /** @type {HTMLElement | null} */ opener = null;

  /** @type {Map<string, Card>} */
  #cards = new Map();

  build() {
    this.heading = el("h2", { id: "overview-title" });
    this.list = el("ul", { class: "picture-cards" });
    this.hold = el("button", { type: "button", class: "button", onclick: () => pause(!store.state.paused) });
    this.again = el("button", { type: "button", class: "button", onclick: askAll });
    this.clear = el("button", { type: "button", class: "button", onclick: () => this.ask(true) }, t("overview.clear"));
    this.yes = el("button", { type: "button", class: "button alarming", onclick: () => this.removeAll() });
    this.sure = el("div", { class: "overview-sure", role: "group", "aria-label": t("overview.clear"), hidden: true },
      el("p", { class: "small" }, t("overview.clear.what")), this.yes, el("button", { type: "button", class: "button", onclick: () => this.ask(false) }, t("overview.keep")));
    this.dialog = el("dialog", { class: "sheet picture-overview", "aria-labelledby": "overview-title", onclick: (event) => event.target === this.dialog && this.dialog.close(), onclose: () => this.closed() },
      el("div", { class: "sheet-body" },
        el("header", { class: "sheet-head" }, this.heading, iconButton("close", t("overview.close"), { onclick: () => this.dialog.close() })),
        el("div", {}, el("p", { class: "small muted" }, t("overview.kept")), el("problem-notice", { any: true })),
        this.list,
        el("footer", { class: "sheet-foot" }, el("button", { type: "button", class: "button", onclick: choose }, t("strip.add")), this.hold, this.again, this.clear, this.sure)));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["overview"], ({ overview }) => this.follow(overview), signal);
    store.watch(["pictures", "picture", "pictureJobs", "phase", "paused", "ask", "layout"], (state) => this.show(state), signal);
  }

  /** @param {boolean} open */
  follow(open) {
    if (!open) return this.dialog.close();
    if (this.dialog.open) return undefined;
    this.opener = /** @type {HTMLElement | null} */ (document.activeElement);
    this.append(this.dialog); // on the page only while it is open
    this.ask(false);
    this.dialog.showModal();
    this.show(store.state);
    this.#cards.get(store.state.picture?.key ?? "")?.button.focus();
    return undefined;
  }

  closed() {
    this.dialog.remove();
    openOverview(false);
    if (this.opener?.isConnected) this.opener.focus(); // nothing happens where it is hidden by now
  }

  /** @param {State} state */
  show({ pictures, picture, paused }) {
    if (!this.dialog.open) return;
    if (!pictures.length) return void this.dialog.close();
    const statuses = pictures.map(statusOf);
    const gone = [...this.#cards].findIndex(([key, { item }]) => item.contains(document.activeElement) && !pictures.some((entry) => entry.key === key));
    this.#cards = new Map(pictures.map((entry) => [entry.key, this.#cards.get(entry.key) ?? this.card(entry)]));
    const cards = [...this.#cards.values()];
    arrange(this.list, cards.map(({ item }) => item));
    pictures.forEach((entry, index) => this.describe(entry, index, statuses[index]));
    if (gone >= 0) cards[Math.min(gone, cards.length - 1)].remove.focus();
    const place = { number: pictures.findIndex(({ key }) => key === picture?.key) + 1, count: pictures.length };
    this.heading.textContent = t("overview.title", place);
    this.hold.hidden = !statuses.some((status) => status === "waiting" || status === "computing");
    this.hold.textContent = t(paused ? "strip.resume.long" : "strip.pause.long");
    this.again.textContent = t(statuses.includes("other") ? "overview.again" : "problem.retry");
    this.again.hidden = !statuses.some((status, index) => status === "other" || (status === "failed" && pictures[index].key !== picture?.key));
    this.yes.textContent = t("overview.clear.do", { count: pictures.length });
  }

  /**
   * @param {PictureEntry} entry
   * @param {number} index
   * @param {string} status
   */
  describe({ key, name }, index, status) {
    const card = /** @type {Card} */ (this.#cards.get(key));
    const label = name ?? t("strip.picture", { number: index + 1 });
    const job = store.state.pictureJobs[key];
    card.name.textContent = label;
    const reason = status === "failed" ? job?.problem : null; // in the server's words
    card.status.title = reason ?? "";
    if (reason) card.status.lang = "en";
    else card.status.removeAttribute("lang");
    card.status.textContent = reason ?? t(status === "waiting" && store.state.paused ? "overview.held" : `overview.${status}`);
    card.item.dataset.status = status;
    if (key === store.state.picture?.key) card.button.setAttribute("aria-current", "true");
    else card.button.removeAttribute("aria-current");
    card.remove.setAttribute("aria-label", t("overview.remove", { name: label }));
    card.remove.title = t("overview.remove", { name: label });
  }

  /**
   * @param {PictureEntry} entry
   * @returns {Card}
   */
  card({ key, url }) {
    const name = el("span", { class: "card-name" });
    const status = el("span", { class: "card-status small muted" });
    const show = () => {
      openOverview(false);
      choosePicture(key);
    };
    const button = el("button", { type: "button", class: "card-picture", onclick: show }, el("span", { class: "well" }, el("img", { src: url, alt: "", width: 112, height: 112, decoding: "async" })), name, status);
    const remove = iconButton("close", "", { onclick: () => removeAny(key) });
    return { item: el("li", { class: "card" }, button, remove), button, name, status, remove };
  }

  /** @param {boolean} yes - whether to ask if all pictures are really to be removed */
  ask(yes) {
    const before = this.sure.hidden;
    this.sure.hidden = !yes;
    this.clear.hidden = yes;
    if (yes) this.yes.focus();
    else if (!before) this.clear.focus();
  }

  removeAll() {
    this.dialog.close();
    removeAll();
    document.getElementById("choose")?.focus();
  }
}
