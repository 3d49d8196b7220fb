// A page to read that has nothing of its own to wire.

import { offerLanguages } from "../shared/language.js";
import { ThemeToggle } from "../widgets/theme-toggle.js";

customElements.define("theme-toggle", ThemeToggle);
offerLanguages();
