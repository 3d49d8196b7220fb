// The previews on the start page open what they show: a map of the cat.

import { viewPanel } from "../state/actions.js";
import { store } from "../state/store.js";
import { addSamples } from "./pictures.js";

const SAMPLE = "cat"; // whose maps the previews are

/**
 * Explains the sample, and shows the map of this method in full as soon as it is there, unless something else was done meanwhile.
 * @param {string} method
 */
function open(method) {
  const sample = store.state.samples?.find(({ id }) => id === SAMPLE);
  if (!sample) return;
  addSamples([sample]);
  const key = store.state.picture?.key;
  const over = new AbortController();
  const { signal } = over;
  const look = () => {
    const { picture, panels } = store.state;
    if (picture?.key !== key) return over.abort();
    const panel = panels.find((one) => one.method === method && one.status === "done" && one.raw);
    if (!panel) return undefined;
    over.abort();
    return viewPanel(panel.id);
  };
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => over.abort(), { signal });
  store.watchPanels(look, signal);
  store.watch(["panels", "picture"], look, signal);
}

export function offerPreviews() {
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-preview]"))) {
    button.addEventListener("click", () => open(button.dataset.preview ?? ""));
  }
}
