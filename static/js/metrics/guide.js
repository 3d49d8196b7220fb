// Wires the page about the numbers: nothing on it is computed.

import { ThemeToggle } from "../widgets/theme-toggle.js";
import { offerLanguages } from "../shared/language.js";
import { followTimeline } from "../shared/contents-list.js";

customElements.define("theme-toggle", ThemeToggle);
followTimeline();
offerLanguages();
