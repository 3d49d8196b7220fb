import { addressOf } from "../controller/controller.js";
import { announce } from "../shared/announce.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { store } from "../state/store.js";
import { fragmentOf } from "../url-state/address.js";
import { View } from "../widgets/view.js";
import { copy } from "./clipboard.js";

/** @import { State } from "../state/types.js" */

const COPIED_MS = 2000;

/**
 * The address of the page as it is now.
 * @param {State} state
 */
const linkOf = (state) => location.origin + addressOf(state.id) + fragmentOf(state);

/** Copies the address of what is on the page, with the way it is looked at. */
export class CopyLink extends View {
  /** @type {HTMLButtonElement} */ button;
  /** @type {HTMLSpanElement} */ label;
  /** What stands in its place for a moment. @type {HTMLSpanElement} */ doneLabel;

  #timer = 0;

  build() {
    this.button = el("button", { type: "button", class: "link", title: t("link.long"), onclick: () => this.copy() },
      // Both texts lie in the same place: nothing beside them moves.
      this.label = el("span", {}, t("link.copy")), this.doneLabel = el("span", { "aria-hidden": "true" }, t("link.done")));
    this.append(this.button);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["id", "phase"], ({ id, phase }) => { this.hidden = !id || phase === "loading"; }, signal);
  }

  async copy() {
    if (!(await copy(linkOf(store.state)))) return;
    announce(t("link.copied"));
    this.button.classList.add("is-copied");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.button.classList.remove("is-copied"), COPIED_MS);
  }
}
