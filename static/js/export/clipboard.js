// Copies text; where the browser gives no clipboard (a page over plain HTTP), the text is shown to be copied by hand.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";

/** @param {string} text */
function byHand(text) {
  const field = el("textarea", { readonly: true, rows: Math.min(12, text.split("\n").length + 1), "aria-label": t("copy.text"), spellcheck: "false" });
  const dialog = el("dialog", { class: "ask-dialog", "aria-labelledby": "copy-title", onclose: () => dialog.remove() },
    el("h2", { id: "copy-title" }, t("copy.title")), el("p", { class: "small muted" }, t("copy.why")), field,
    el("form", { method: "dialog" }, el("button", { class: "button" }, t("copy.close"))));
  field.value = text;
  document.body.append(dialog);
  dialog.showModal();
  field.focus();
  field.select();
}

/**
 * Copies a text; returns whether it is on the clipboard now.
 * @param {string} text
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    byHand(text);
    return false;
  }
}
