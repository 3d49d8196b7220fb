// The script of the list of questions (/lab): a static page with language and theme.

import { offerLanguages } from "../shared/language.js";
import { ThemeToggle } from "../widgets/theme-toggle.js";

customElements.define("theme-toggle", ThemeToggle);
offerLanguages();
