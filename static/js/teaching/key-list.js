import { el, focused, iconButton } from "../shared/dom.js";
import { KEYS } from "../shared/keys.js";
import { style } from "../shared/style-sheets.js";
import { addTexts, t, textOr } from "../shared/texts.js";

await Promise.all([addTexts("keys"), style("help")]);

/** @type {Record<string, string>} */
const SYMBOLS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", "-": "−" };
/** Keys whose name is written out, though they are a character. @type {Record<string, string>} */
const NAMED = { " ": "Space" };

/** @param {string} name */
const symbolOf = (name) => SYMBOLS[name] ?? (name.length === 1 && !(name in NAMED) ? name.toUpperCase() : textOr(`keys.name.${NAMED[name] ?? name}`, name));

/**
 * A key as it is written on a keyboard.
 * @param {string} key
 */
const keyNode = (key) => el("kbd", {}, key.length > 1 ? key.split("+").map(symbolOf).join(" ") : symbolOf(key));

/** @param {keyof typeof KEYS} place */
function section(place) {
  const rows = Object.entries(KEYS[place]).flatMap(([command, keys]) => [
    el("dt", {}, ...keys.flatMap((key, index) => (index ? [" ", keyNode(key)] : [keyNode(key)]))), el("dd", {}, t(`keys.${place}.${command}`)),
  ]);
  return el("section", {}, el("h3", { class: "section-title" }, t(`keys.at.${place}`)), el("dl", { class: "keys" }, ...rows));
}

/**
 * Opens the list of all keys of the page.
 * @param {() => void} closed - called when it has closed
 */
export function openKeyList(closed) {
  if (document.querySelector("dialog.key-list")) return;
  const opener = focused();
  const dialog = el("dialog", { class: "ask-dialog key-list", "aria-labelledby": "keys-title", onclose: () => {
    dialog.remove();
    closed();
    if (opener?.isConnected) opener.focus();
  }, onclick: ({ target }) => target === dialog && dialog.close() });
  dialog.append(
    el("div", { class: "title-row" }, el("h2", { id: "keys-title" }, t("keys.open")), iconButton("close", t("keys.close"), { onclick: () => dialog.close() })),
    el("div", { class: "key-places" }, ...(/** @type {(keyof typeof KEYS)[]} */ (Object.keys(KEYS))).map(section)),
    el("p", { class: "small muted" }, t("keys.rest")),
  );
  document.body.append(dialog);
  dialog.showModal();
}
