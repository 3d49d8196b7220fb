// The script of the page /lab/run.

import { onUnauthorised } from "../api/client.js";
import { copy } from "../export/clipboard.js";
import { offerLanguages } from "../shared/language.js";
import { t } from "../shared/texts.js";
import { offerHelp } from "../widgets/help-tip.js";
import { ThemeToggle } from "../widgets/theme-toggle.js";
import { RunPage } from "./run-page.js";

customElements.define("theme-toggle", ThemeToggle);
offerLanguages();
offerHelp();
onUnauthorised(async () => (await import("../api/key-dialog.js")).askForKey());

const copyButton = document.querySelector("[data-copy]");
copyButton?.addEventListener("click", async () => {
  if (await copy(document.querySelector(".listing")?.textContent ?? "")) copyButton.textContent = t("lab.page.copied");
});

new RunPage();
