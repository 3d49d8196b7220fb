// Interactive documentation of the REST interface, from our own OpenAPI document; no asset comes from elsewhere.

import { offerLanguages } from "../shared/language.js";
import { ThemeToggle } from "../widgets/theme-toggle.js";

const { documentElement } = document;
const dark = matchMedia("(prefers-color-scheme: dark)");

// A plug-in of Swagger UI: the path of an operation becomes text. It is a link inside the operation's button otherwise,
// which screen readers cannot tell apart.
/** @param {{ React: any }} system */
const plainPaths = ({ React }) => ({ wrapComponents: { DeepLink: () => (/** @type {{ text: string }} */ { text }) => React.createElement("span", {}, text) } });

/** Swagger UI has its own name for the dark theme. */
function followTheme() {
  const theme = documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  documentElement.classList.toggle("dark-mode", theme === "dark");
}

/** Names of groups and summaries are in the page's language; the rest of Swagger UI is English. */
function markLanguage() {
  for (const node of document.querySelectorAll(".opblock-tag, .opblock-summary-description")) node.setAttribute("lang", documentElement.lang);
}

/** Swagger UI leaves some fields of a form without a name: they have that of their row. */
function nameFields() {
  for (const field of document.querySelectorAll("#docs tr :is(input, select, textarea):not([aria-label], [type=checkbox])")) {
    const name = field.closest("tr")?.querySelector(".parameter__name")?.textContent;
    if (name) field.setAttribute("aria-label", name);
  }
}

customElements.define("theme-toggle", ThemeToggle);
offerLanguages();
followTheme();
dark.addEventListener("change", followTheme);
new MutationObserver(followTheme).observe(documentElement, { attributeFilter: ["data-theme"] });
new MutationObserver(nameFields).observe(/** @type {HTMLElement} */ (document.getElementById("docs")), { childList: true, subtree: true });
window.SwaggerUIBundle({
  url: `/openapi.json?lang=${documentElement.lang.split("-")[0]}`,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
  plugins: [plainPaths],
  onComplete: markLanguage,
});
