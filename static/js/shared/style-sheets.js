// Style sheets that are fetched when they are wanted.

import { el } from "./dom.js";

/**
 * Resolves when the sheet is in force; before the page's last sheet, whose rules are to win.
 * @param {string} name
 */
export function style(name) {
  return new Promise((resolve, reject) => {
    const failed = () => reject(new Error(`/static/css/${name}.css`));
    const link = el("link", { rel: "stylesheet", href: `/static/css/${name}.css`, onload: resolve, onerror: failed });
    document.head.querySelector("link[href$='/keep.css']")?.before(link);
  });
}
