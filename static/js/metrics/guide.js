// The script of the guide to the metrics (/trust): a static page with contents list, language and theme.

import { markCurrentSection } from "../shared/contents-list.js";
import { offerLanguages } from "../shared/language.js";
import { ThemeToggle } from "../widgets/theme-toggle.js";

customElements.define("theme-toggle", ThemeToggle);
markCurrentSection();
offerLanguages();
