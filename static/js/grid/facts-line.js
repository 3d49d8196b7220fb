// The facts under the maps, each line fitted to its place. All places are measured together and then written together:
// the page is laid out as often as the longest of them needs, however many maps there are.

import { el } from "../shared/dom.js";
import { factNodes } from "../shared/panel-facts.js";
import { t } from "../shared/texts.js";

/** @import { Fact } from "../shared/panel-facts.js" */

/**
 * What stands in a place: the facts of the map of a method, by its title; `open` shows all of them.
 * @typedef {{ facts: Fact[], method: string, open: () => void }} Line
 */

const HEIGHT = 18; // of a line in pixels, as in panels.css
const SLACK = 3; // pixels below a last line that nobody misses

/** @type {WeakMap<Element, Line>} */
const lines = new WeakMap();
/** The room that a line was fitted to. @type {WeakMap<Element, string>} */
const rooms = new WeakMap();
/** @type {Set<HTMLElement>} */
const waiting = new Set();

/** @param {Element} place */
const roomOf = ({ clientWidth, clientHeight }) => `${clientWidth} × ${clientHeight}`;

/** @param {HTMLElement} place */
function isTooLong(place) {
  // Two lines below a map have room beneath them; beside a map the next thing follows at once.
  const slack = place.clientHeight > 2.5 * HEIGHT ? SLACK : HEIGHT / 2;
  return place.scrollHeight > place.clientHeight + slack;
}

/**
 * A button for the facts that found no room.
 * @param {Fact[]} rest
 * @param {Line} line
 */
function moreButton(rest, { method, open }) {
  const title = rest.map(({ text }) => text).join(" · ");
  const label = t("panel.facts.more", { method, facts: title });
  return el("button", { type: "button", class: "facts-more", title, "aria-label": label, onclick: open }, `+${rest.length}`);
}

/**
 * Writes a line. In a place of fixed size whole facts are left out from the end until the rest fits, those that warn last
 * of all. Each piece of the work either writes or measures.
 * @param {HTMLElement} place
 */
function* fitting(place) {
  const line = /** @type {Line} */ (lines.get(place));
  const kept = [...line.facts];
  /** @type {Fact[]} */
  const left = [];
  place.replaceChildren(...factNodes(kept));
  yield;
  rooms.set(place, roomOf(place)); // 0 × 0 while the values at the crosshair or in the box are shown instead
  let tooLong = getComputedStyle(place).overflowY === "clip" && isTooLong(place);
  yield;
  while (tooLong && kept.length) {
    const last = kept.findLastIndex(({ poor }) => !poor);
    left.unshift(...kept.splice(last < 0 ? kept.length - 1 : last, 1));
    place.replaceChildren(...factNodes(kept), kept.length ? "\u00a0\u00a0" : "", moreButton(left, line));
    yield;
    tooLong = isTooLong(place);
    yield;
  }
}

/** @param {Iterable<HTMLElement>} places */
function fit(places) {
  let unfinished = [...places].map(fitting);
  while (unfinished.length) unfinished = unfinished.filter((piece) => !piece.next().done);
}

function fitWaiting() {
  const places = [...waiting].filter((place) => lines.has(place));
  waiting.clear();
  fit(places);
}

const observer = new ResizeObserver((entries) => {
  const places = entries.map(({ target }) => /** @type {HTMLElement} */ (target));
  fit(places.filter((place) => lines.has(place) && place.clientWidth && rooms.get(place) !== roomOf(place)));
});

/**
 * Fits a place anew whenever its size changes.
 * @param {HTMLElement} place
 * @param {AbortSignal} signal
 */
export function followRoom(place, signal) {
  observer.observe(place);
  signal.addEventListener("abort", () => observer.unobserve(place));
}

/**
 * Shows facts, before the page is painted again.
 * @param {HTMLElement} place
 * @param {Line} line
 */
export function showFacts(place, line) {
  const known = lines.get(place);
  if (!line.facts.length) {
    lines.delete(place);
    place.replaceChildren();
    return;
  }
  lines.set(place, line);
  if (known && known.method === line.method && JSON.stringify(known.facts) === JSON.stringify(line.facts)) return;
  if (!waiting.size) requestAnimationFrame(fitWaiting);
  waiting.add(place);
}
