// The script of the page of an experiment (/lab/ID).

import { onUnauthorised } from "../api/client.js";
import { copy } from "../export/clipboard.js";
import { offerLanguages } from "../shared/language.js";
import { t } from "../shared/texts.js";
import { offerHelp } from "../widgets/help-tip.js";
import { ThemeToggle } from "../widgets/theme-toggle.js";
import { LabPage } from "./lab-page.js";
import { offerSheet } from "./sheet.js";

customElements.define("theme-toggle", ThemeToggle);
offerLanguages();
offerHelp();
onUnauthorised(async () => (await import("../api/key-dialog.js")).askForKey());
offerSheet(/** @type {HTMLElement} */ (document.querySelector(".controls")));

const listing = document.querySelector(".listing");
const copyButton = document.querySelector("[data-copy]");
copyButton?.addEventListener("click", async () => {
  if (await copy(listing?.textContent ?? "")) copyButton.textContent = t("lab.page.copied");
});

new LabPage(JSON.parse(document.getElementById("experiment")?.textContent ?? ""));
