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
let showingAddress = false; // what another address names is being shown
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
  if (returning || showingAddress) return;
  const open = openedLayers(store.state);
  const still = order.filter((layer) => layer in open);
  order = [...still, ...LAYERS.filter((layer) => layer in open && !still.includes(layer))];
  const step = stepNow();
  if (order.length < step) return takeBack(step - order.length);
  for (let next = step + 1; next <= order.length; next += 1) push(next);
  if (step && order.length === step && JSON.stringify(entry().layers) !== JSON.stringify(layersUpTo(step))) {
    // With its address at once: a reload takes the address that is there when it begins.
    history.replaceState({ ...history.state, layers: layersUpTo(step) }, "", addressOfLayers(order));
  }
  return undefined;
}

/**
 * Called after the browser went to another entry. True if the entry is of the same view: then the layers that it names
 * are open now. Otherwise all layers are closed, and `showAddress` is called to show what the new address names.
 * @param {() => void} showAddress
 */
export function followEntry(showAddress) {
  if (returning) {
    returning = false;
    if (waiting.length && stepNow()) { // only some were taken back: what waits is for the entry below all of them
      takeBack(stepNow());
      return false;
    }
    const run = waiting;
    waiting = [];
    for (const each of run) each();
    followLayers(); // something may have been opened meanwhile
    return !run.length;
  }
  const { mark: reached } = entry();
  // Forward leads to an entry of a view that is gone: go back from it.
  if (reached && forgotten.has(reached)) {
    takeBack(1);
    return false;
  }
  const same = mark !== undefined && reached === mark;
  mark = entry().mark;
  const { layers = {} } = entry();
  showingAddress = true;
  order = /** @type {Layer[]} */ (Object.keys(same ? layers : {}));
  restoreLayers(same ? layers : {});
  if (!same) showAddress();
  showingAddress = false;
  return same;
}

/** True while the current entry is about to be taken back: its address must not be written. */
export const isLeaving = () => returning;

/**
 * Like `leaveSteps`, for a view that was deleted: its entries are not shown again.
 * @param {() => void} run
 */
export function leaveForgotten(run) {
  if (mark) forgotten.add(mark);
  leaveSteps(run);
}

/**
 * Takes the entries of what is open back, then calls `run`, which goes to another address. With nothing open, `run` is
 * called at once. What is still open then is open over that address: its entries follow.
 * @param {() => void} run
 */
function fromBelowSteps(run) {
  if (!returning && stepNow()) takeBack(stepNow());
  const goes = () => {
    run();
    mark = entry().mark;
  };
  if (returning) return void waiting.push(goes);
  goes();
  return followLayers();
}

/**
 * Closes all layers and takes their entries back, then calls `run`, which goes to another address. With no layer open,
 * `run` is called at once.
 * @param {() => void} run
 */
export function leaveSteps(run) {
  if (!returning && stepNow()) takeBack(stepNow());
  if (returning) restoreLayers({});
  fromBelowSteps(run);
}

/**
 * Goes to the address of what is shown with a new history entry. The current entry is replaced if its explanation no
 * longer exists, or if it is the same view: the same question about the same picture. What is open stays open: an answer
 * may come to somebody who has gone on to something else meanwhile.
 * @param {() => string} addressOfView
 * @param {() => any} stateOfView
 */
export function goTo(addressOfView, stateOfView = () => null) {
  fromBelowSteps(() => {
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
