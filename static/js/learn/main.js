// Wires the page of methods. Nothing is computed or fetched for a figure before it comes near the window.

import { Theme } from "./theme.js";
import { followTimeline } from "./timeline.js";
import { t } from "./texts.js";

const NEAR = "400px 0px";

/** Runs `start` with an element once it comes near the window. */
function whenNear(elements, start) {
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      start(target);
    }
  }, { rootMargin: NEAR });
  for (const element of elements) observer.observe(element);
}

async function startFigure(root) {
  try {
    const { start } = await import(`./figures/${root.dataset.figure}.js`);
    await start(root);
    root.dataset.ready = "";
  } catch (error) {
    const problem = root.querySelector("[data-problem]");
    problem.textContent = t("learn.read.failed");
    problem.hidden = false;
    console.info(error);
  }
}

/** The first click fetches what a run needs. */
function offerRun(root) {
  let run = null;
  root.querySelector("[data-compute]").addEventListener("click", async () => {
    const { Run } = await import("./run.js");
    run ??= new Run(root);
    run.toggle();
  });
}

/** The same section in the other language. */
function keepPlace() {
  for (const link of document.querySelectorAll("[data-language]")) {
    link.addEventListener("click", () => { link.hash = location.hash; });
  }
}

customElements.define("theme-toggle", Theme);
followTimeline();
keepPlace();
for (const root of document.querySelectorAll("[data-run]")) offerRun(root);
whenNear(document.querySelectorAll("[data-figure]"), startFigure);
