import { el, iconButton } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { progressLine, setProgress } from "../shared/progress-line.js";
import { t } from "../shared/texts.js";
import { cancelChecks, openChecks, openSheet } from "../state/actions.js";
import { canBeMeasured } from "../state/panels.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";

/** @import { State } from "../state/types.js" */

/** In the tool bar: opens the table of all maps and metrics, and tells how far it is filled, whether it is open or not. */
export class CheckBar extends View {
  /** @type {HTMLButtonElement} */ button;
  /** @type {HTMLSpanElement} */ label;
  /** @type {HTMLButtonElement} */ stop;
  /** @type {HTMLDivElement} */ hairline;

  build() {
    this.label = el("span");
    // As wide as its resting label all the time: nothing beside it moves.
    this.button = el("button", { type: "button", class: "button check-open", "aria-haspopup": "dialog", title: t("checks.open.long"), onclick: () => this.open() },
      el("span", { class: "check-width", "aria-hidden": "true" }, t("checks.open")), this.label);
    this.stop = iconButton("close", t("checks.cancel"), { class: "icon-button check-stop", onclick: () => this.cancel() });
    this.hairline = progressLine();
    this.append(this.button, this.stop, this.hairline);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["checks"], (state) => this.show(state), signal);
    store.watch(["panels"], () => this.offer(), signal);
    store.watchPanels(() => this.offer(), signal);
  }

  /** On a phone the sheet goes: the table takes its place. */
  open() {
    openSheet(null);
    openChecks("open");
  }

  cancel() {
    this.button.focus();
    cancelChecks();
  }

  offer() {
    this.button.disabled = !store.state.panels.some(canBeMeasured);
  }

  /** @param {State} state */
  show({ checks }) {
    const running = checks?.status === "running";
    this.stop.hidden = !running;
    this.hairline.hidden = !running;
    this.toggleAttribute("running", running);
    if (!checks || !running) {
      this.label.textContent = t("checks.open");
      this.button.removeAttribute("aria-label");
      this.button.title = t("checks.open.long");
      return;
    }
    const left = checks.seconds === null ? null : t("checks.left", { time: format.duration(checks.seconds) });
    const text = t("checks.progress", checks);
    const heard = t("checks.progress.heard", checks);
    this.label.textContent = text;
    this.button.setAttribute("aria-label", `${text}. ${heard}`);
    this.button.title = [heard, checks.doing, left].filter(Boolean).join(" · ");
    setProgress(this.hairline, { done: checks.done, total: checks.of }, heard);
  }
}
