// Wires the page about the numbers: nothing on it is computed.

import { followTimeline } from "../shared/contents-list.js";
import { offerLanguages } from "../shared/language.js";
import { ThemeToggle } from "../widgets/theme-toggle.js";

customElements.define("theme-toggle", ThemeToggle);
followTimeline();
offerLanguages();
