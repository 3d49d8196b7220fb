import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { View } from "./view.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

const current = () => document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");

export class ThemeToggle extends View {
  /** @type {HTMLButtonElement} */ button;

  build() {
    this.button = el("button", { type: "button", class: "icon-button", onclick: () => this.toggle() },
      el("span", { class: "half-disc", "aria-hidden": "true" }));
    this.append(this.button);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    dark.addEventListener("change", () => this.label(), { signal });
    this.label();
  }

  label() {
    const text = t(current() === "dark" ? "theme.light" : "theme.dark");
    this.button.title = text;
    this.button.setAttribute("aria-label", text);
  }

  toggle() {
    const theme = current() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("gradoscope.theme", theme);
    } catch {
      // Storage may be switched off; the choice then lasts until the page is left.
    }
    this.label();
  }
}
