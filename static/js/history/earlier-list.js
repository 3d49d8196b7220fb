import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { entryLink, methodsAndTime, nameOf, questionLine } from "./entry.js";
import { explanationHistory } from "./history.js";

/** @import { Entry } from "./history.js" */

const SHOWN = 4;

/** The newest explanations of this browser, on the start page; nothing where there are none. */
export class EarlierList extends View {
  /** @type {HTMLUListElement} */ list;
  /** @type {HTMLButtonElement} */ all;

  build() {
    this.list = el("ul", { class: "earlier" });
    this.all = el("button", { type: "button", class: "link", onclick: () => document.querySelector("history-panel")?.open() });
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", "earlier-title");
    this.append(el("h2", { class: "section-title", id: "earlier-title" }, t("history.earlier")), this.list, this.all);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    explanationHistory.addEventListener("change", () => this.show(), { signal });
    store.watch(["models", "methods", "phase"], () => this.show(), signal);
  }

  show() {
    if (store.state.phase !== "empty") return; // out of sight; writing the first date takes as long as showing all maps
    const { entries } = explanationHistory;
    this.hidden = entries.length === 0;
    this.all.hidden = entries.length <= SHOWN;
    this.all.textContent = t("history.all", { count: entries.length });
    const focused = [...this.list.children].findIndex((row) => row.contains(document.activeElement));
    this.list.replaceChildren(...entries.slice(0, SHOWN).map((entry) => this.row(entry)));
    if (focused >= 0) this.list.children[focused]?.querySelector("a")?.focus();
  }

  /** @param {Entry} entry */
  row(entry) {
    return el("li", { class: entry.gone ? "is-gone" : null },
      entryLink(entry, { class: "entry-link" }, () => {},
        el("span", { class: "entry-words" }, el("strong", {}, nameOf(entry)), el("span", { class: "small" }, questionLine(entry)), el("span", { class: "small muted" }, ...methodsAndTime(entry)))));
  }
}
