// Wires the page: the start, the catalogue, the address; and fetches the workbench when it is wanted.

import * as api from "../api/client.js";
import { followAddress, followHistory } from "../controller/controller.js";
import { EarlierList } from "../history/earlier-list.js";
import { HistoryPanel } from "../history/history-panel.js";
import { explanationHistory } from "../history/history.js";
import { keepHistory } from "../history/recorder.js";
import { KeptList } from "../picture/kept-list.js";
import { keepStrips } from "../picture/kept-strips.js";
import { choose, listenForPictures } from "../picture/picture-input.js";
import { addSamples } from "../picture/pictures.js";
import { offerPreviews } from "../picture/preview-list.js";
import { SampleList } from "../picture/sample-list.js";
import { loadPalettes } from "../rendering/palettes.js";
import { offerLanguages } from "../shared/language.js";
import { t } from "../shared/texts.js";
import { nextTask } from "../shared/turns.js";
import { openDialog, setCatalogue, showNotice } from "../state/actions.js";
import { store } from "../state/store.js";
import { offerKeys } from "../teaching/offer-keys.js";
import { keepAddress } from "../url-state/address.js";
import * as steps from "../url-state/steps.js";
import { ThemeToggle } from "../widgets/theme-toggle.js";
import { ProblemNotice } from "./problem-notice.js";

// What the start page needs; the others are in workbench.js.
const ELEMENTS = {
  "theme-toggle": ThemeToggle,
  "problem-notice": ProblemNotice,
  "sample-list": SampleList,
  "history-panel": HistoryPanel,
  "earlier-list": EarlierList,
  "kept-list": KeptList,
};

const RETRY_MS = 2000;

/**
 * Fills one part of the catalogue; while the server is still starting, it asks again.
 * @param {"models" | "methods" | "samples" | "palettes"} part
 * @param {() => Promise<any>} fetcher
 */
async function load(part, fetcher) {
  try {
    setCatalogue(part, await fetcher());
  } catch (error) {
    if (error.transient) setTimeout(load, RETRY_MS, part, fetcher);
    else if (error.status === 401) showNotice({ place: "picture", problem: error, retry: () => location.reload() });
    else throw error;
  }
}

/** Asks for an API key; going back closes the dialog too. */
async function askForKey() {
  const { askForKey: ask } = await import("../api/key-dialog.js");
  const leave = new AbortController();
  openDialog("key");
  store.watch(["dialog"], ({ dialog }) => dialog !== "key" && leave.abort(), leave.signal);
  const accepted = await ask(leave.signal);
  if (store.state.dialog === "key") openDialog(null);
  return accepted;
}

/** @type {Promise<void> | null} */
let coming = null; // the workbench, once it is wanted
let here = false;
let known = false;

/** What models and methods there are: for the workbench, and for the names in a history. */
function loadCatalogue() {
  if (known) return;
  known = true;
  load("models", api.models);
  load("methods", api.methods);
}

/** Fetches the workbench, once. */
function fetchWorkbench() {
  if (!coming) {
    coming = import("./workbench.js").then(nextTask).then(() => { here = true; });
    load("palettes", loadPalettes);
    loadCatalogue();
  }
  return coming;
}

/**
 * Shows the start page or the workbench, whichever belongs to the phase.
 * @param {HTMLElement} start
 * @param {HTMLElement} bench
 */
function show(start, bench) {
  const empty = store.state.phase === "empty";
  const arriving = bench.hidden && !empty;
  const hadFocus = start.contains(document.activeElement);
  start.hidden = !empty;
  bench.hidden = empty;
  delete document.documentElement.dataset.opening; // theme.js kept the start page from flashing
  // The button that was pressed is gone: the focus goes on to what came in its place.
  if (arriving && hadFocus) /** @type {HTMLElement | null} */ (bench.querySelector(".question"))?.focus({ preventScroll: true });
  if (arriving) scrollTo(0, 0);
}

/**
 * @param {HTMLElement} start
 * @param {HTMLElement} bench
 */
function switchViews(start, bench) {
  /** @param {Error} error */
  const lost = ({ message }) => {
    start.hidden = false;
    delete document.documentElement.dataset.opening;
    const problem = new api.Problem({ title: t("problem.lost"), detail: message });
    showNotice({ place: "picture", problem, retry: () => location.reload() });
  };
  store.watch(["phase"], ({ phase }) => {
    if (here || phase === "empty") show(start, bench);
    else fetchWorkbench().then(() => show(start, bench), lost);
  });
  // Whoever presses or drags something here will want the workbench in a moment.
  for (const event of ["pointerdown", "keydown", "dragenter", "paste"]) {
    addEventListener(event, () => fetchWorkbench().catch(() => {}), { once: true, passive: true, capture: true });
  }
}

api.onUnauthorised(askForKey);
document.getElementById("choose")?.addEventListener("click", choose);
document.getElementById("all-samples")?.addEventListener("click", () => addSamples(store.state.samples ?? []));
listenForPictures();
offerPreviews();
addEventListener("popstate", followHistory);
offerLanguages();
offerKeys();
followAddress();
switchViews(/** @type {HTMLElement} */ (document.getElementById("start")), /** @type {HTMLElement} */ (document.getElementById("bench")));
keepAddress(steps);
keepHistory();
keepStrips();

// In a task of its own, after the address: lists of the start page show nothing while an explanation is opened.
await nextTask();
for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
load("samples", api.samples);
if (explanationHistory.entries.length) loadCatalogue();
