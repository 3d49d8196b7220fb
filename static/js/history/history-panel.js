import { el, focused, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { openDialog } from "../state/actions.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { entryLink, methodsAndTime, nameOf, questionLine } from "./entry.js";
import { explanationHistory } from "./history.js";

/** @import { Entry } from "./history.js" */

/** @typedef {{ index: number, tag: "a" | "button" }} Control */

/** The history of this browser: a button of the top bar, and the sheet that it opens. */
export class HistoryPanel extends View {
  /** @type {HTMLUListElement} */ list;
  /** @type {HTMLParagraphElement} */ note;
  /** @type {HTMLButtonElement} */ clear;
  /** @type {HTMLButtonElement} */ undo;
  /** @type {HTMLButtonElement} */ forget;
  /** @type {HTMLDialogElement} */ dialog;
  /** @type {HTMLButtonElement} */ button;

  /** @type {Entry[] | null} */
  #cleared = null;

  build() {
    this.list = el("ul", { class: "entries" });
    this.note = el("p", { class: "small muted", role: "status" });
    this.clear = el("button", { type: "button", class: "button", onclick: () => this.clearAll() }, t("history.clear"));
    this.undo = el("button", { type: "button", class: "button", hidden: true, onclick: () => this.putBack() }, t("history.undo"));
    this.forget = el("button", { type: "button", class: "button forget-open", onclick: () => this.askToForget() }, t("forget.menu"));
    this.dialog = el("dialog", { class: "sheet", "aria-labelledby": "history-title", onclick: (event) => event.target === this.dialog && this.dialog.close(), onclose: () => this.closed() },
      el("div", { class: "sheet-body" },
        el("header", { class: "sheet-head" }, el("h2", { id: "history-title" }, t("history.title")), iconButton("close", t("history.close"), { onclick: () => this.dialog.close() })),
        this.note, this.list, el("footer", { class: "sheet-foot" }, this.clear, this.undo, this.forget)));
    this.button = el("button", { type: "button", class: "top-button", "aria-haspopup": "dialog", onclick: () => openDialog("history") }, t("history.title"));
    this.append(this.button);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    explanationHistory.addEventListener("change", () => this.show(), { signal });
    store.watch(["models", "methods", "id"], () => this.show(), signal);
    store.watch(["dialog"], ({ dialog }) => (dialog === "history" ? this.open() : this.dialog.close()), signal);
  }

  open() {
    if (this.dialog.open) return;
    this.append(this.dialog); // on the page only while it is open
    this.dialog.showModal();
    this.show();
    this.dialog.scrollTop = 0;
  }

  show() {
    if (!this.dialog.open) return;
    const { entries, kept } = explanationHistory;
    this.note.textContent = entries.length ? t(kept ? "history.kept" : "history.unkept") : t(this.#cleared ? "history.cleared" : "history.empty");
    this.clear.hidden = entries.length === 0;
    this.forget.hidden = !store.state.id;
    const control = this.focused();
    this.list.replaceChildren(...entries.map((entry) => this.row(entry)));
    this.refocus(control);
  }

  /** @param {Entry} entry */
  row(entry) {
    const name = nameOf(entry);
    const current = entry.id === store.state.id;
    return el("li", { class: entry.gone ? "entry is-gone" : "entry" },
      entryLink(entry, { class: "entry-link", "aria-current": current ? "page" : null }, () => this.dialog.close(),
        el("span", { class: "entry-words" },
          el("strong", {}, name), el("span", { class: "small" }, questionLine(entry)), el("span", { class: "small muted" }, ...methodsAndTime(entry)))),
      iconButton("close", t("history.remove", { name }), { onclick: () => explanationHistory.remove(entry.id) }));
  }

  /**
   * Which control of which row has the focus, for rows are made anew.
   * @returns {Control | null}
   */
  focused() {
    const control = focused();
    const row = control?.closest("history-panel .entry");
    return control && row ? { index: [...this.list.children].indexOf(row), tag: control.matches("a") ? "a" : "button" } : null;
  }

  /** @param {Control | null} control */
  refocus(control) {
    if (!control) return;
    const row = this.list.children[Math.min(control.index, this.list.children.length - 1)];
    const found = row?.querySelector(control.tag) ?? this.dialog.querySelector(".sheet-head button");
    /** @type {HTMLElement | null} */ (found)?.focus();
  }

  clearAll() {
    this.#cleared = explanationHistory.entries;
    explanationHistory.clear();
    this.undo.hidden = false;
    this.undo.focus();
  }

  /** Asks whether the server is to forget the explanation; removing one from this list leaves it on the server. */
  askToForget() {
    this.dialog.close();
    document.querySelector("forget-dialog")?.ask(this.button);
  }

  putBack() {
    explanationHistory.putBack(this.#cleared ?? []);
    this.forgetCleared();
    this.clear.focus();
  }

  closed() {
    this.forgetCleared();
    this.dialog.remove();
    if (store.state.dialog === "history") openDialog(null);
  }

  forgetCleared() {
    this.#cleared = null;
    this.undo.hidden = true;
  }
}
