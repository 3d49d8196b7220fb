import * as api from "../api/client.js";
import { removeForgotten } from "../picture/pictures.js";
import { announce } from "../shared/announce.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { openDialog } from "../state/actions.js";
import { store } from "../state/store.js";
import { leaveForgotten } from "../url-state/steps.js";
import { View } from "../widgets/view.js";
import { explanationHistory } from "./history.js";

/** Asks before the server forgets an explanation, and says what that does. */
export class ForgetDialog extends View {
  /** @type {HTMLParagraphElement} */ problem;
  /** @type {HTMLButtonElement} */ keep;
  /** @type {HTMLButtonElement} */ forget;
  /** @type {HTMLDialogElement} */ dialog;
  /** @type {HTMLElement | null} */ opener;

  build() {
    this.problem = el("p", { class: "forget-problem", role: "alert", hidden: true });
    this.keep = el("button", { type: "button", class: "button", onclick: () => this.dialog.close() }, t("forget.keep"));
    this.forget = el("button", { type: "button", class: "button alarming", onclick: () => this.run() }, t("forget.do"));
    this.dialog = el("dialog", { class: "ask-dialog", "aria-labelledby": "forget-title", "aria-describedby": "forget-what", onclose: () => this.closed() },
      el("h2", { id: "forget-title" }, t("forget.title")),
      el("p", { id: "forget-what" }, t("forget.what")),
      this.problem,
      el("div", { class: "dialog-actions" }, this.keep, this.forget));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["dialog"], ({ dialog }) => (dialog === "forget" ? this.open() : this.dialog.close()), signal);
  }

  /**
   * Opens the dialog. `opener` gets the focus back when the answer is no.
   * @param {HTMLElement} opener
   */
  ask(opener) {
    this.opener = opener;
    openDialog("forget");
  }

  open() {
    if (this.dialog.open) return;
    this.problem.hidden = true;
    this.append(this.dialog); // on the page only while it asks
    this.dialog.showModal();
    this.keep.focus();
  }

  async run() {
    const id = store.state.id ?? "";
    this.forget.disabled = true;
    try {
      await api.forget(id);
    } catch (error) {
      // 404: the server has forgotten it already.
      if (error.status !== 404) return this.showProblem(error);
    } finally {
      this.forget.disabled = false;
    }
    this.opener = null;
    this.dialog.close();
    // Closes what is open over the page, then runs this.
    return leaveForgotten(() => {
      explanationHistory.remove(id);
      removeForgotten(id);
      announce(t("forget.done"));
      const next = store.state.phase === "empty" ? "#choose" : "panel-grid .question";
      /** @type {HTMLElement | null} */ (document.querySelector(next))?.focus();
    });
  }

  closed() {
    this.dialog.remove();
    if (store.state.dialog === "forget") openDialog(null);
    this.opener?.focus();
  }

  /** @param {{ title?: string, detail?: string, message?: string }} error */
  showProblem({ title, detail, message }) {
    this.problem.textContent = [title, detail ?? message].filter(Boolean).join(". ");
    this.problem.hidden = false;
  }
}
