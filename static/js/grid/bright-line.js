import { setHelp } from "../shared/help.js";
import { aboutMethod, brightOf } from "../state/methods.js";

/**
 * Under a method's name: what a bright pixel means, in one line; a link to the part of /methods about it.
 * @param {HTMLAnchorElement} link
 * @param {string} method
 */
export function showBright(link, method) {
  const text = brightOf(method);
  link.hidden = !text;
  if (link.textContent === text) return;
  link.textContent = text;
  link.href = aboutMethod(method);
  setHelp(link, text);
}
