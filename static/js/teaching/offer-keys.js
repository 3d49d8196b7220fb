import { commandOf, takesText } from "../shared/keys.js";
import { openDialog } from "../state/actions.js";
import { store } from "../state/store.js";

const showKeys = () => openDialog("keys");

/** Shows the list of keys while it is the dialog that is open; it is fetched when it is first wanted. */
async function follow() {
  const isOpen = () => store.state.dialog === "keys";
  if (!isOpen()) return document.querySelector(/** @type {"dialog"} */ ("dialog.key-list"))?.close();
  const { openKeyList } = await import("./key-list.js");
  return isOpen() ? openKeyList(() => isOpen() && openDialog(null)) : undefined;
}

/** The list of keys opens by its key, and by the buttons with `data-keys`. */
export function offerKeys() {
  store.watch(["dialog"], () => { follow(); });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || takesText(event.target) || commandOf("page", event) !== "list") return;
    event.preventDefault();
    showKeys();
  });
  addEventListener("click", ({ target }) => target instanceof Element && target.closest("[data-keys]") && showKeys());
}
