// Full screen, comparison, dialogs and sheets are steps of the browser's history: what opens adds an entry, Back closes
// the topmost, and what is closed otherwise takes its entry back. The entries of one view have a mark in common, so that
// going between them changes nothing but what is open.

import { restoreLayers } from "../state/actions.js";
import { LAYERS, openedLayers } from "../state/layers.js";
import { store } from "../state/store.js";
import { addressOfLayers } from "./address.js";

/** @import { Layer, Layers } from "../state/layers.js" */

/** @typedef {{ mark?: string, step?: number, layers?: Layers }} Entry What an entry says of its step. */

/** @type {Layer[]} */
let order = []; // what is open, as it was opened
let mark = entry().mark; // of the view whose entries these are
let returning = false; // entries are being taken back: the browser does so a moment later
let leading = false; // an address is being followed
/** @type {(() => void)[]} */
let waiting = []; // for the entries that are being taken back
let marks = 0;
/** @type {Set<string>} */
const forgotten = new Set(); // marks of views that are gone

/** @returns {Entry} */
function entry() {
  return history.state ?? {};
}

const stepNow = () => entry().step ?? 0;

function newMark() {
  marks += 1;
  return `${Math.round(performance.timeOrigin)}.${marks}`;
}

/**
 * The open layers up to the one that was opened as the `count`-th.
 * @param {number} count
 * @returns {Layers}
 */
function layersUpTo(count) {
  const open = openedLayers(store.state);
  return Object.fromEntries(order.slice(0, count).map((layer) => [layer, open[layer]]));
}

/** @param {number} step */
function push(step) {
  mark ??= newMark();
  const { state } = history;
  // The entry below has the address without what is opened now.
  history.replaceState({ ...state, mark }, "", addressOfLayers(order.slice(0, step - 1)));
  history.pushState({ ...state, mark, step, layers: layersUpTo(step) }, "", addressOfLayers(order.slice(0, step)));
}

/** @param {number} count */
function takeBack(count) {
  returning = true;
  history.go(-count);
}

/** Brings the entries in line with what is open. */
export function followLayers() {
  if (returning || leading) return;
  const open = openedLayers(store.state);
  const still = order.filter((layer) => layer in open);
  order = [...still, ...LAYERS.filter((layer) => layer in open && !still.includes(layer))];
  const step = stepNow();
  if (order.length < step) return takeBack(step - order.length);
  for (let next = step + 1; next <= order.length; next += 1) push(next);
  if (step && order.length === step && JSON.stringify(entry().layers) !== JSON.stringify(layersUpTo(step))) {
    history.replaceState({ ...history.state, layers: layersUpTo(step) }, "");
  }
  return undefined;
}

/**
 * After the browser went to another entry. True where it is one of the same view: what is open has been brought in line
 * with it. Else `lead` is called, to show what the address names, with nothing open before it.
 * @param {() => void} lead
 */
export function followEntry(lead) {
  if (returning) {
    returning = false;
    const run = waiting;
    waiting = [];
    for (const each of run) each();
    if (!run.length) followLayers(); // something may have been opened meanwhile
    return !run.length;
  }
  const { mark: reached } = entry();
  // What was open over a view that is gone still lies ahead: nothing is there to go to.
  if (reached && forgotten.has(reached)) {
    takeBack(1);
    return false;
  }
  const same = mark !== undefined && reached === mark;
  mark = entry().mark;
  const { layers = {} } = entry();
  leading = true;
  order = /** @type {Layer[]} */ (Object.keys(same ? layers : {}));
  restoreLayers(same ? layers : {});
  if (!same) lead();
  leading = false;
  return same;
}

/** True while the entry in place is about to go: its address is not to be written. */
export const isLeaving = () => returning;

/**
 * As `leaveSteps`, where the view is no more.
 * @param {() => void} run
 */
export function leaveForgotten(run) {
  if (mark) forgotten.add(mark);
  leaveSteps(run);
}

/**
 * Closes what is open and takes its entries back, then runs what goes to another address; at once where nothing is open.
 * @param {() => void} run
 */
export function leaveSteps(run) {
  const goes = () => {
    run();
    mark = entry().mark;
  };
  if (!returning && stepNow()) {
    order = [];
    restoreLayers({});
    if (!returning) takeBack(stepNow());
  }
  if (returning) waiting.push(goes);
  else goes();
}

/**
 * Goes to the address of what is shown with a new history entry. The current entry is replaced if its explanation no
 * longer exists, or if it is the same view: the same question about the same picture.
 * @param {() => string} addressOfView
 * @param {() => any} stateOfView
 */
export function goTo(addressOfView, stateOfView = () => null) {
  leaveSteps(() => {
    const state = stateOfView();
    const address = addressOfView();
    if (history.state?.gone || sameView(history.state, state)) history.replaceState(state, "", address);
    else history.pushState(state, "", address);
  });
}

/**
 * Whether two entries are the same question about the same picture.
 * @param {any} one
 * @param {any} other
 */
function sameView(one, other) {
  if (!one?.ask || !other?.ask) return false;
  /** @param {any} entry */
  const viewOf = ({ ask, layout, picture }) => JSON.stringify([picture, ask, layout?.hiddenRows, layout?.hiddenMethods]);
  return viewOf(one) === viewOf(other);
}
