// Dialogs that are fetched when they are first opened.

import { Problem } from "../api/client.js";
import { t } from "../shared/texts.js";
import { failDialog, retryDialog } from "../state/actions.js";
import { store } from "../state/store.js";

/**
 * While `key` of the state names something, its dialog is wanted: `load` fetches it once.
 * @param {"metricsPanel" | "checksTable" | "flowRow"} key
 * @param {() => Promise<{ begin: () => Promise<void> }>} load
 */
function offer(key, load) {
  /** @type {Promise<void> | null} */
  let coming = null;
  store.watch([key], ({ [key]: wanted }) => {
    if (!wanted || coming) return;
    coming = load().then(({ begin }) => begin());
    coming.catch(({ message }) => {
      coming = null;
      const problem = new Problem({ title: t("problem.lost"), detail: message });
      failDialog(key, { place: "grid", problem, retry: () => retryDialog(key, wanted) });
    });
  });
}

export function offerDialogs() {
  offer("metricsPanel", () => import("../metrics/main.js"));
  offer("checksTable", () => import("../metrics/main.js"));
  offer("flowRow", () => import("../flow/main.js"));
}
