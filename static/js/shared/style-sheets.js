// Style sheets that are fetched when they are wanted.

import { el } from "./dom.js";

/**
 * Resolves when the sheet is in force; before the page's last sheet, whose rules are to win.
 * @param {string} name
 */
export function style(name) {
  return new Promise((resolve, reject) => {
    if (document.head.querySelector(`link[data-sheets~='${name}']`)) return resolve(null); // the page came with it
    const { href } = new URL(`../../css/${name}.css`, import.meta.url);
    const failed = () => reject(new Error(href));
    const link = el("link", { rel: "stylesheet", href, onload: resolve, onerror: failed });
    const last = document.head.querySelector("link[href$='/keep.css']"); // where an explanation was opened, in the file of all sheets
    if (last) last.before(link);
    else document.head.append(link);
  });
}
