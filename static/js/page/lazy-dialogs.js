// Dialogs that are fetched when they are first opened.

import { Problem } from "../api/client.js";
import { store } from "../state/store.js";
import { t } from "../shared/texts.js";

/** While `key` of the state names something, its dialog is wanted: `load` fetches it once. */
function offer(key, load) {
  let coming = null;
  store.watch([key], ({ [key]: wanted }) => {
    if (!wanted || coming) return;
    coming = load().then(({ begin }) => begin());
    coming.catch(({ message }) => {
      coming = null;
      const problem = new Problem({ title: t("problem.lost"), detail: message });
      store.set({ [key]: null, notice: { place: "grid", problem, retry: () => store.set({ notice: null, [key]: wanted }) } });
    });
  });
}

export function offerDialogs() {
  offer("trusting", () => import("../metrics/main.js"));
  offer("flowing", () => import("../flow/main.js"));
}
