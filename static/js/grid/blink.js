// While P is held, every panel shows the map of before.

import { setBlink } from "../state/actions.js";
import { store } from "../state/store.js";

const KEY = "p";
const TYPED = "input, select, textarea, [contenteditable]";

/** @param {AbortSignal} signal */
export function listenForBlink(signal) {
  let held = false;
  const release = () => {
    if (held) setBlink(null);
    held = false;
  };
  addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== KEY || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!store.state.before || /** @type {Element} */ (event.target).matches?.(TYPED)) return;
    held = true;
    setBlink("all");
  }, { signal });
  addEventListener("keyup", ({ key }) => key.toLowerCase() === KEY && release(), { signal });
  addEventListener("blur", release, { signal });
}
