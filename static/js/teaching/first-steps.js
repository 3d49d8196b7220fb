import { el, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { View } from "../widgets/view.js";

const KEY = "gradoscope.introduced";

function introduced() {
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false; // storage may be switched off
  }
}

/** How to read the maps, in a line above them, until it is closed; this browser remembers that. */
export class FirstSteps extends View {
  build() {
    this.hidden = introduced();
    if (this.hidden) return;
    this.setAttribute("role", "note");
    this.setAttribute("aria-label", t("steps.title"));
    this.append(
      el("p", { class: "small" }, t(matchMedia("(hover: none)").matches ? "steps.text.touch" : "steps.text")),
      el("button", { type: "button", class: "link", "data-keys": true }, t("keys.open")), // opens the list of keys (offer-keys.js)
      iconButton("close", t("steps.close"), { onclick: () => this.close() }),
    );
  }

  close() {
    this.hidden = true;
    /** @type {HTMLElement | null} */ (document.querySelector("panel-grid .question"))?.focus({ preventScroll: true });
    try {
      localStorage.setItem(KEY, "1");
    } catch {
      // It comes back with the next visit.
    }
  }
}
