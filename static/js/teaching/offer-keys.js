import { commandOf } from "../shared/keys.js";

/** @param {EventTarget | null} target */
const takesText = (target) => target instanceof HTMLElement && target.matches("input:not([type=radio], [type=checkbox], [type=range]), textarea, select");

/** Shows the list of keys, which is fetched when it is first wanted. */
export async function showKeys() {
  const { openKeyList } = await import("./key-list.js");
  openKeyList();
}

/** The list of keys opens by its key, and by the buttons with `data-keys`. */
export function offerKeys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || takesText(event.target) || commandOf("page", event) !== "list") return;
    event.preventDefault();
    showKeys();
  });
  addEventListener("click", ({ target }) => target instanceof Element && target.closest("[data-keys]") && showKeys());
}
