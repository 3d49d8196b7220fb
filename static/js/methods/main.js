// Wires the page of methods. Nothing is computed or fetched for a figure before it comes near the window.

import { markCurrentSection } from "../shared/contents-list.js";
import { offerLanguages } from "../shared/language.js";
import { t } from "../shared/texts.js";
import { ThemeToggle } from "../widgets/theme-toggle.js";

/** @import { Run } from "./run.js" */

const PLUGINS = new URL("../../plugins/methods/", import.meta.url).href;
const NEAR = "400px 0px";

/**
 * Runs `start` with an element once it comes near the window.
 * @param {Iterable<HTMLElement>} elements
 * @param {(element: HTMLElement) => void} start
 */
function whenNear(elements, start) {
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      start(/** @type {HTMLElement} */ (target));
    }
  }, { rootMargin: NEAR });
  for (const element of elements) observer.observe(element);
}

/** @param {HTMLElement} root */
async function startFigure(root) {
  try {
    const { start } = await import(`${PLUGINS}${root.dataset.figure}/figure.js`);
    await start(root);
    root.dataset.ready = "";
  } catch (error) {
    const problem = /** @type {HTMLElement} */ (root.querySelector("[data-problem]"));
    problem.textContent = t("learn.read.failed");
    problem.hidden = false;
    console.info(error);
  }
}

/**
 * The first click fetches what a run needs.
 * @param {HTMLElement} root
 */
function offerRun(root) {
  /** @type {Run | null} */
  let run = null;
  root.querySelector("[data-compute]")?.addEventListener("click", async () => {
    const [{ Run }, api] = await Promise.all([import("./run.js"), import("../api/client.js")]);
    api.onUnauthorised(async () => (await import("../api/key-dialog.js")).askForKey());
    run ??= new Run(root);
    run.toggle();
  });
}

customElements.define("theme-toggle", ThemeToggle);
markCurrentSection();
offerLanguages();
for (const root of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-run]"))) offerRun(root);
whenNear(/** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-figure]")), startFigure);
