import { statusLine } from "../shared/announce.js";
import { el, iconButton } from "../shared/dom.js";
import { PHONE } from "../shared/screens.js";
import { t } from "../shared/texts.js";
import { openSheet } from "../state/actions.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";

/** @import { Sheet } from "../state/types.js" */

const FAR = 64; // pixels: a swipe so far down closes

/**
 * Controls that stand on the page where there is room, and on a phone in a dialog at the bottom edge, which a button opens.
 * `name`, also that of its texts: "ask" or "reading".
 */
export class BottomSheet extends View {
  /** @type {HTMLDivElement} */ content;
  /** @type {HTMLElement} */ head;
  /** @type {HTMLDialogElement} */ dialog;

  /** @returns {Sheet} */
  get name() {
    return /** @type {Sheet} */ (this.getAttribute("name"));
  }

  build() {
    const title = `sheet-${this.name}`;
    this.content = el("div", { class: "sheet-content" }, ...this.childNodes);
    this.head = el("header", { class: "low-sheet-head" }, el("h2", { id: title }, t(`${this.name}.title`)), iconButton("close", t("sheet.close"), { onclick: () => this.dialog.close() }));
    this.dialog = el("dialog", { class: `low-sheet sheet-of-${this.name}`, "aria-labelledby": title, onclose: () => this.closed(), onclick: (event) => event.target === this.dialog && this.dialog.close() },
      el("div", { class: "low-sheet-body" }, this.head, statusLine()));
    this.append(this.content, this.dialog);
    this.listenForSwipes();
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    PHONE.addEventListener("change", () => this.place(), { signal });
    this.place();
    store.watch(["sheet"], ({ sheet }) => this.follow(sheet), signal);
    if (this.name === "ask") this.listenToAnswers(signal);
  }

  /**
   * Closes the sheet when an answer comes, which it would cover; opens it for an error about the question.
   * @param {AbortSignal} signal
   */
  listenToAnswers(signal) {
    store.watch(["phase"], ({ phase, sheet }) => sheet === "ask" && (phase === "loading" || phase === "running") && openSheet(null), signal);
    store.watch(["notice"], ({ notice }) => PHONE.matches && notice?.place === "ask" && openSheet("ask"), signal);
  }

  /** The content goes where the screen has room for it. */
  place() {
    const home = PHONE.matches ? /** @type {HTMLElement} */ (this.head.parentElement) : this;
    if (this.content.parentElement !== home) home.insertBefore(this.content, home === this ? this.dialog : this.head.nextSibling);
    if (!PHONE.matches && this.dialog.open) this.dialog.close();
  }

  /** @param {Sheet | null} sheet */
  follow(sheet) {
    if (sheet === this.name && PHONE.matches) {
      if (this.dialog.open) return;
      this.dialog.showModal();
      if (this.name === "reading") this.showMaps();
    } else if (this.dialog.open) this.dialog.close();
  }

  /** Scrolls to the maps if the sheet leaves none in sight, so that the visitor sees them change. */
  showMaps() {
    const { top } = this.dialog.getBoundingClientRect();
    const panels = [...document.querySelectorAll("map-panel")];
    // well: the box that the map lies in
    const seen = panels.some(({ well }) => well.getBoundingClientRect().top >= 0 && well.getBoundingClientRect().bottom <= top);
    if (!seen) panels[0]?.scrollIntoView({ block: "start" });
  }

  closed() {
    if (store.state.sheet === this.name) openSheet(null);
  }

  /** The head follows a finger down. */
  listenForSwipes() {
    let from = 0;
    /** @param {PointerEvent} event */
    const by = ({ clientY }) => Math.max(0, clientY - from);
    this.head.addEventListener("pointerdown", (event) => {
      if (/** @type {HTMLElement} */ (event.target).closest("button")) return;
      from = event.clientY;
      this.head.setPointerCapture(event.pointerId);
    });
    this.head.addEventListener("pointermove", (event) => {
      if (this.head.hasPointerCapture(event.pointerId)) this.dialog.style.translate = `0 ${by(event)}px`;
    });
    const end = (/** @type {PointerEvent} */ event) => {
      const far = this.dialog.style.translate !== "" && event.type === "pointerup" && by(event) > FAR;
      this.dialog.style.translate = "";
      if (far) this.dialog.close();
    };
    this.head.addEventListener("pointerup", end);
    this.head.addEventListener("pointercancel", end);
  }
}
