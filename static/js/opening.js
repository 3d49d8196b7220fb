// The trust panel is fetched when it is first opened.

import { Problem } from "./api.js";
import { store } from "./store.js";
import { t } from "./texts.js";

let coming = null;

function lost({ message }, panel) {
  coming = null;
  const problem = new Problem({ title: t("problem.lost"), detail: message });
  store.set({ trusting: null, notice: { place: "grid", problem, retry: () => store.set({ notice: null, trusting: panel }) } });
}

export function offerTrust() {
  store.watch(["trusting"], ({ trusting }) => {
    if (!trusting || coming) return;
    coming = import("./trust/main.js").then(({ begin }) => begin());
    coming.catch((error) => lost(error, trusting));
  });
}
