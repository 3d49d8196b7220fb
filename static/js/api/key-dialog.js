// Where the server asks for an API key: a dialog asks for it, and from then on a cookie stands for it.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { beginSession, problemOf } from "./client.js";

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * Resolves to whether there is a session now. Requests that are refused while the dialog is open share it.
 * @param {AbortSignal} [leave] - closes it
 */
export function askForKey(leave) {
  asking ??= new Promise((/** @type {(accepted: boolean) => void} */ resolve) => openDialog(resolve, leave)).finally(() => { asking = null; });
  return asking;
}

/**
 * @param {(accepted: boolean) => void} resolve
 * @param {AbortSignal} [leave]
 */
function openDialog(resolve, leave) {
  loadStyles();
  const problem = el("p", { class: "key-problem", role: "alert", hidden: true });
  const input = el("input", { type: "password", id: "api-key", class: "key-input", autocomplete: "current-password", required: true, "aria-describedby": "key-what" });
  const enter = el("button", { class: "button primary" }, t("key.enter"));
  const cancel = el("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("key.cancel"));
  const opener = /** @type {HTMLElement | null} */ (document.activeElement);
  let accepted = false;

  /** @param {SubmitEvent} event */
  async function begin(event) {
    event.preventDefault();
    enter.disabled = true;
    problem.hidden = true;
    try {
      await beginSession(input.value);
      accepted = true;
      dialog.close();
    } catch (failure) {
      const error = problemOf(failure);
      problem.textContent = error.status === 401 ? t("key.unknown") : [error.title, error.detail].filter(Boolean).join(". ");
      problem.hidden = false;
      input.select();
    } finally {
      enter.disabled = false;
    }
  }

  function closed() {
    dialog.remove();
    opener?.focus({ preventScroll: true });
    resolve(accepted);
  }

  const dialog = el("dialog", { class: "key-dialog", "aria-labelledby": "key-title", onclose: closed },
    el("form", { class: "key-form", onsubmit: begin },
      el("h2", { id: "key-title" }, t("key.title")),
      el("p", { id: "key-what" }, t("key.what")),
      el("label", { for: "api-key" }, t("key.label")),
      input,
      problem,
      el("div", { class: "key-actions" }, cancel, enter)));
  document.body.append(dialog);
  dialog.showModal();
  leave?.addEventListener("abort", () => dialog.close());
  input.focus();
}

function loadStyles() {
  const { href } = new URL("../../css/key.css", import.meta.url);
  if (!document.head.querySelector(`link[href='${href}']`)) document.head.append(el("link", { rel: "stylesheet", href }));
}
