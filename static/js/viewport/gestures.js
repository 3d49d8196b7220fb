// Pointer, wheel and fingers on a map. In the grid the page scrolls as everywhere: one finger and the bare
// wheel are the page's, Ctrl (or ⌘) with the wheel and two fingers are the map's. In full screen all are.

import { setTool, setViewport } from "../state/actions.js";
import { store } from "../state/store.js";
import { stroke } from "./brush.js";
import { boxBetween, frameOf, fromWindow, pannedBy, toPicture, zoomedAt } from "./geometry.js";
import { resetZoom } from "./viewport.js";

/** @import { MapLens } from "./map-lens.js" */

const SLOP = 4; // pixels that a click may wander
const TWICE_MS = 250; // within which a second click makes the two a double click
const HOLD_MS = 350; // after which a press is held
const LINE = 16; // pixels that a wheel's line stands for

/**
 * The place of an event in the window of the lens, in fractions of it.
 * @param {MapLens} lens
 * @param {{ clientX: number, clientY: number }} event
 * @returns {number[]}
 */
function placeOf(lens, { clientX, clientY }) {
  const { left, top, width, height } = lens.getBoundingClientRect();
  return [(clientX - left) / width, (clientY - top) / height];
}

/**
 * The point of the original at a place of the window.
 * @param {MapLens} lens
 * @param {number[]} place
 */
const pointAt = (lens, place) => toPicture(fromWindow(place, frameOf(store.state.viewport, lens.crop)), lens.crop);

/**
 * @param {MapLens} lens
 * @param {number[]} place
 * @param {number} factor
 */
function zoomTo(lens, place, factor) {
  setViewport({ ...zoomedAt(store.state.viewport, lens.crop, place, factor), panel: lens.panel.id });
}

/** @param {MapLens} lens */
function listenForWheel(lens) {
  lens.addEventListener("wheel", (event) => {
    if (!lens.ready || !(event.ctrlKey || event.metaKey || lens.fullscreen)) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1);
    // A trackpad's pinch comes as many small steps, a wheel's notch as one large.
    zoomTo(lens, placeOf(lens, event), Math.exp(-Math.min(Math.max(pixels, -50), 50) / 100));
  }, { passive: false });
}

/** @param {MapLens} lens */
function listenForFingers(lens) {
  /** @type {{ place: number[], apart: number } | null} */
  let last = null;
  /** @param {TouchList} touches */
  const between = ([a, b]) => ({ clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 });
  /** @param {TouchList} touches */
  const apart = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  /** @param {TouchEvent} event */
  const remember = ({ touches }) => {
    last = touches.length === 2 ? { place: placeOf(lens, between(touches)), apart: apart(touches) } : null;
  };
  /** @param {TouchEvent} event */
  const move = (event) => {
    if (!last || event.touches.length !== 2 || !event.cancelable) return;
    event.preventDefault();
    const before = last;
    remember(event);
    const moved = [last.place[0] - before.place[0], last.place[1] - before.place[1]];
    const panned = { ...store.state.viewport, ...pannedBy(store.state.viewport, lens.crop, moved) };
    setViewport({ ...zoomedAt(panned, lens.crop, last.place, last.apart / before.apart), panel: lens.panel.id });
  };
  /** @param {TouchEvent} event */
  const start = (event) => {
    remember(event);
    if (last && lens.ready) event.preventDefault();
  };
  lens.addEventListener("touchstart", start, { passive: false });
  lens.addEventListener("touchmove", move, { passive: false });
  lens.addEventListener("touchend", remember);
  lens.addEventListener("touchcancel", remember);
}

/**
 * What a drag from here does: draws a box, moves the magnified map, or nothing.
 * @param {MapLens} lens
 * @param {PointerEvent} event
 * @returns {((to: number[]) => void) | null}
 */
function dragOf(lens, event) {
  const { tool, viewport } = store.state;
  if (tool === "box" || event.shiftKey) {
    const from = pointAt(lens, placeOf(lens, event));
    return (to) => setViewport({ box: boxBetween(from, pointAt(lens, to)) ?? store.state.viewport.box });
  }
  if (viewport.zoom === 1 || (event.pointerType === "touch" && !lens.fullscreen)) return null;
  let last = placeOf(lens, event);
  return (to) => {
    setViewport(pannedBy(store.state.viewport, lens.crop, [to[0] - last[0], to[1] - last[1]]));
    last = to;
  };
}

/**
 * Begins a stroke of the brush; a press alone is a dab.
 * @param {MapLens} lens
 * @param {PointerEvent} event
 */
function beginStroke(lens, event) {
  const { mask } = store.state.viewport;
  let last = pointAt(lens, placeOf(lens, event));
  /** @param {number[]} to */
  const act = (to) => {
    const next = pointAt(lens, to);
    stroke(last, next);
    last = next;
  };
  lens.setPointerCapture(event.pointerId);
  stroke(last);
  return { act, takeBack: () => setViewport({ mask }), moved: true };
}

/** @param {MapLens} lens */
function listenForDrags(lens) {
  /** @type {{ act: ((to: number[]) => void) | null, takeBack?: () => void, x: number, y: number, moved: boolean } | null} */
  let drag = null;
  let timer = 0;
  let held = false;
  const hold = () => {
    // A listener that shows something while the press is held calls preventDefault.
    held = !lens.dispatchEvent(new CustomEvent("hold", { cancelable: true }));
  };
  lens.addEventListener("contextmenu", (event) => held && event.preventDefault()); // a long press with a finger opens it
  lens.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary && drag?.takeBack) { // a second finger: the two are to magnify
      drag.takeBack();
      drag = null;
    }
    if (event.button !== 0 || !event.isPrimary || !lens.ready) return;
    if (!event.shiftKey && !store.state.tool) timer = setTimeout(hold, HOLD_MS);
    const begun = store.state.tool === "mask" ? beginStroke(lens, event) : { act: dragOf(lens, event), moved: false };
    drag = { ...begun, x: event.clientX, y: event.clientY };
  });
  lens.addEventListener("pointermove", (event) => {
    if (!event.isPrimary || !lens.ready) return;
    if (drag && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > SLOP && !drag.moved) {
      drag.moved = true;
      clearTimeout(timer);
      if (drag.act) lens.setPointerCapture(event.pointerId);
    }
    if (drag?.moved) drag.act?.(placeOf(lens, event));
    if (event.pointerType !== "touch" || drag?.act) lens.point(pointAt(lens, placeOf(lens, event)));
  });
  const end = () => {
    if (drag?.moved && drag.act && store.state.tool === "box") setTool(null);
    // The click event that follows a drag, or a press that was held, does not count.
    lens.dragged = Boolean(drag?.moved) || held;
    drag = null;
    clearTimeout(timer);
    if (held) lens.dispatchEvent(new CustomEvent("release"));
    held = false;
  };
  lens.addEventListener("pointerup", end);
  lens.addEventListener("pointercancel", end);
  lens.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch" && !drag) setViewport({ cross: null });
  });
}

/** @param {MapLens} lens */
function listenForClicks(lens) {
  let waiting = 0;
  /** @param {MouseEvent} event */
  const click = (event) => {
    waiting = 0;
    if (lens.fullscreen) lens.point(pointAt(lens, placeOf(lens, event)));
    else lens.dispatchEvent(new CustomEvent("open"));
  };
  lens.addEventListener("click", (event) => {
    if (lens.dragged || event.shiftKey || store.state.tool || !lens.ready) return;
    // Only a magnified map has something to reset: there a click waits, in case it becomes a double click.
    if (store.state.viewport.zoom === 1) click(event);
    else if (!waiting) waiting = setTimeout(click, TWICE_MS, event);
  });
  lens.addEventListener("dblclick", () => {
    clearTimeout(waiting);
    waiting = 0;
    resetZoom();
  });
}

/** @param {MapLens} lens */
export function listenForGestures(lens) {
  listenForWheel(lens);
  listenForFingers(lens);
  listenForDrags(lens);
  listenForClicks(lens);
}
