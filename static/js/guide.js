// Wires the page about the numbers: nothing on it is computed.

import { ThemeToggle } from "./elements/theme-toggle.js";
import { offerLanguages } from "./language.js";
import { followTimeline } from "./learn/timeline.js";

customElements.define("theme-toggle", ThemeToggle);
followTimeline();
offerLanguages();
