// The theme's switch, in the page's own language.

import { ThemeToggle } from "../elements/theme-toggle.js";
import { t } from "./texts.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

export class Theme extends ThemeToggle {
  label() {
    const current = document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
    const text = t(current === "dark" ? "learn.theme.light" : "learn.theme.dark");
    this.button.title = text;
    this.button.setAttribute("aria-label", text);
  }
}
