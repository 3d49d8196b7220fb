// The view in the address: /e/ID#reduce=sum&clip=95. Written as the view changes, read on load and on back and forward.

import { restoreFromAddress } from "../state/actions.js";
import { openedLayers, withLayers } from "../state/layers.js";
import { store } from "../state/store.js";
import { FIELDS } from "./fields.js";

/**
 * @import { Layer } from "../state/layers.js"
 * @import { State } from "../state/types.js"
 * @import { Field } from "./fields.js"
 */

/** @typedef {Record<string, string>} Pairs */

// The version of the keys and of what their absence means; written from 2 on. An old link goes through the steps
// from its version up: UPGRADES[n - 1] takes the pairs of version n, and gives those of version n + 1.
/** @type {((pairs: Pairs) => Pairs)[]} */
const UPGRADES = [];
const VERSION = UPGRADES.length + 1;

// Browsers take no more than about three changes of an address a second.
const EVERY_MS = 350;

// Values of the address that name a palette or a panel which is not loaded yet.
/** @type {Map<Field, any>} */
const waiting = new Map();
let timer = 0;

/** @param {string} text */
const encoded = (text) => encodeURIComponent(text).replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%2F", "/");

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/**
 * {key: text} of an address's fragment, in today's keys.
 * @param {string} hash
 * @param {((pairs: Pairs) => Pairs)[]} upgrades
 * @returns {Pairs}
 */
export function pairsOf(hash, upgrades = UPGRADES) {
  const parts = hash.replace(/^#/, "").split("&").filter(Boolean).map((part) => part.split("="));
  const { v = "1", ...pairs } = Object.fromEntries(parts.map(([key, ...rest]) => [decoded(key), decoded(rest.join("="))]));
  return upgrades.slice(Math.max(0, Number(v) - 1 || 0)).reduce((old, upgrade) => upgrade(old), pairs);
}

/** @param {(field: Field) => any} valueOf */
function fragment(valueOf) {
  const parts = FIELDS.flatMap((field) => {
    const text = field.text(valueOf(field));
    return text === null ? [] : [[field.key, text]];
  });
  if (parts.length && VERSION > 1) parts.unshift(["v", String(VERSION)]);
  return parts.length ? `#${parts.map(([key, text]) => `${key}=${encoded(text)}`).join("&")}` : "";
}

/**
 * The view as a fragment; empty where nothing differs from a fresh page.
 * @param {State} state
 */
export const fragmentOf = (state) => fragment((field) => field.read(state));

/**
 * A fragment read and written again, so that two ways to write the same view compare equal.
 * @param {string} hash
 */
function canonical(hash) {
  const pairs = pairsOf(hash);
  return fragment(({ key, parse }) => (key in pairs ? parse(pairs[key]) : undefined));
}

/** Sets what the address says; what it does not say is as on a fresh page. */
export function restoreAddress() {
  const pairs = pairsOf(location.hash);
  waiting.clear();
  let draft = store.state;
  for (const field of FIELDS) {
    const value = field.key in pairs ? field.parse(pairs[field.key]) : undefined;
    const fits = value !== undefined && field.fits(value, store.state);
    if (fits === null) waiting.set(field, value);
    draft = field.write(draft, fits ? value : field.start);
  }
  commit(draft);
}

/** @param {State} draft */
function commit(draft) {
  const slices = [...new Set(FIELDS.map(({ slice }) => slice))].filter((slice) => draft[slice] !== store.state[slice]);
  restoreFromAddress(Object.fromEntries(slices.map((slice) => [slice, draft[slice]])));
}

function settleWaiting() {
  let draft = store.state;
  for (const [field, value] of waiting) {
    const fits = field.fits(value, store.state);
    if (fits === null) continue;
    waiting.delete(field);
    if (fits) draft = field.write(draft, value);
  }
  if (draft !== store.state) commit(draft);
}

/**
 * The address with the view as it is now; undefined while the address is not this explanation's, or some of its values
 * still wait.
 */
export function addressNow() {
  const { id } = store.state;
  if (!id || waiting.size || location.pathname !== `/e/${encodeURIComponent(id)}`) return undefined;
  return location.pathname + location.search + fragmentOf(store.state);
}

/**
 * The address with these layers open and no others.
 * @param {Layer[]} layers
 */
export function addressOfLayers(layers) {
  const { id } = store.state;
  if (!id || waiting.size || location.pathname !== `/e/${encodeURIComponent(id)}`) return undefined;
  const open = openedLayers(store.state);
  const some = Object.fromEntries(layers.map((layer) => [layer, open[layer]]));
  return location.pathname + location.search + fragmentOf({ ...store.state, ...withLayers(store.state, some) });
}

function write() {
  const address = addressNow();
  if (address === undefined || fragmentOf(store.state) === canonical(location.hash)) return false;
  history.replaceState(history.state, "", address);
  return true;
}

/**
 * Writes the address at once, then at most every EVERY_MS.
 * @param {() => boolean} isLeaving
 */
function follow(isLeaving) {
  if (timer || isLeaving() || !write()) return;
  timer = setTimeout(() => {
    timer = 0;
    follow(isLeaving);
  }, EVERY_MS);
}

/**
 * @param {object} steps
 * @param {() => void} steps.followLayers - brings the steps of the history in line before their address is written
 * @param {() => boolean} steps.isLeaving - the current history entry is about to be taken back
 */
export function keepAddress({ followLayers, isLeaving }) {
  store.addEventListener("change", () => {
    if (waiting.size) settleWaiting();
    if (!waiting.size) followLayers();
    follow(isLeaving);
  });
  addEventListener("pagehide", () => isLeaving() || write());
}
