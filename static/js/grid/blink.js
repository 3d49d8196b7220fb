// While a key is held, every panel shows the map of the previous question.

import { commandOf } from "../shared/keys.js";
import { setBlink } from "../state/actions.js";
import { store } from "../state/store.js";

const TYPED = "input, select, textarea, [contenteditable]";

/** @param {KeyboardEvent} event */
const isOurs = ({ key, shiftKey }) => commandOf("page", { key: key.toLowerCase(), shiftKey }) === "before";

/** @param {AbortSignal} signal */
export function listenForBlink(signal) {
  let held = false;
  const release = () => {
    if (held) setBlink(null);
    held = false;
  };
  addEventListener("keydown", (event) => {
    if (!isOurs(event) || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!store.state.previous || /** @type {Element} */ (event.target).matches?.(TYPED)) return;
    held = true;
    setBlink("all");
  }, { signal });
  addEventListener("keyup", (event) => isOurs(event) && release(), { signal });
  addEventListener("blur", release, { signal });
}
