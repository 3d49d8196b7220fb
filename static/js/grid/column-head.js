import { el, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { methodOf, methodTitle } from "../state/methods.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { showBright } from "./bright-line.js";
import { columnActions } from "./menu-actions.js";

/** @import { ActionMenu } from "../widgets/action-menu.js" */

/** The head of a column: a method's title and year, and what can be done to the column. */
export class ColumnHead extends View {
  /** @type {HTMLSpanElement} */ name;
  /** @type {HTMLSpanElement} */ year;
  /** What a bright pixel means, in one line. @type {HTMLAnchorElement} */ bright;
  /** @type {HTMLButtonElement} */ more;
  /** @type {ActionMenu} */ menu;
  /** @type {string} */ method;

  build() {
    this.name = el("span");
    this.year = el("span", { class: "muted" });
    this.more = iconButton("more", "");
    this.menu = el("action-menu");
    this.bright = el("a", { class: "bright" });
    this.append(el("div", { class: "head-words" }, this.name, " ", this.year, this.bright), this.more, this.menu);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["methods"], () => this.render(), signal);
  }

  /** @param {string} method */
  setMethod(method) {
    this.method = method;
    if (this.isConnected) this.render();
  }

  render() {
    const { method } = this;
    const label = t("column.more", { method: methodTitle(method) });
    this.name.textContent = methodTitle(method);
    this.year.textContent = String(methodOf(method)?.year ?? "");
    showBright(this.bright, method);
    this.more.setAttribute("aria-label", label);
    this.more.title = label;
    this.menu.attachActions(this.more, label, () => columnActions(this.method));
  }
}
