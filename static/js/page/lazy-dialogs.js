// What opens over the workbench: fetched after it, large dialogs when they are first opened.

import { Problem } from "../api/client.js";
import { t } from "../shared/texts.js";
import { putOff } from "../shared/turns.js";
import { failDialog, retryDialog, showNotice } from "../state/actions.js";
import { store } from "../state/store.js";

/** @param {Error} error */
const lost = ({ message }) => new Problem({ title: t("problem.lost"), detail: message });

/** @type {Promise<unknown> | null} */
let small = null; // the dialogs that are fetched in advance

function fetchSmall() {
  small ??= import("./dialogs.js").catch((error) => {
    small = null;
    showNotice({ place: "grid", problem: lost(error), retry: () => location.reload() });
    throw error;
  });
  return small;
}

const inAdvance = () => { fetchSmall().catch(() => {}); };

/** Resolves when the small pictures of maps have come, which a slow connection loads first. */
const smallMaps = () => Promise.allSettled([...document.querySelectorAll(/** @type {"img"} */ ("img.preview-map"))].map((image) => image.decode()));

/** Fetches the small dialogs once nothing that is seen at first has to wait for it, or somebody presses something. */
function fetchSoon() {
  const found = new AbortController();
  store.watch(["phase"], ({ phase }) => {
    if (phase === "loading") return;
    found.abort();
    putOff(() => smallMaps().then(inAdvance));
  }, found.signal);
  for (const event of ["pointerdown", "keydown"]) addEventListener(event, inAdvance, { once: true, passive: true, capture: true });
}

/**
 * While `key` of the state names something, its dialog is wanted (`checksTable`: the metrics of all maps): `load`
 * fetches it once.
 * @param {"metricsPanel" | "checksTable" | "flowRow" | "layersOf"} key
 * @param {() => Promise<{ begin: () => Promise<void> }>} load
 */
function offer(key, load) {
  /** @type {Promise<void> | null} */
  let coming = null;
  store.watch([key], ({ [key]: wanted }) => {
    if (!wanted || coming) return;
    coming = Promise.all([load(), fetchSmall()]).then(([{ begin }]) => begin()); // fields of a metric are fields of a method
    coming.catch((error) => {
      coming = null;
      failDialog(key, { place: "grid", problem: lost(error), retry: () => retryDialog(key, wanted) });
    });
  });
}

export function offerDialogs() {
  offer("metricsPanel", () => import("../metrics/main.js"));
  offer("checksTable", () => import("../metrics/main.js"));
  offer("flowRow", () => import("../flow/main.js"));
  offer("layersOf", () => import("../layers/main.js"));
  fetchSoon();
}
