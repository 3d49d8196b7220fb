// Keeps the pictures of the strip in this browser, and brings them back after a reload or a restart.

import * as api from "../api/client.js";
import { t } from "../shared/texts.js";
import { pausePictures, setStrip, showNotice } from "../state/actions.js";
import { store } from "../state/store.js";
import { originalOf, rememberOriginal } from "./fit-upload.js";
import { changeKept, dropKept, keptPictures } from "./picture-store.js";

/**
 * @import { PictureEntry, State } from "../state/types.js"
 * @import { KeptPicture } from "./picture-store.js"
 */

const FLAG = "gradoscope.pictures"; // a key of localStorage, there while pictures may be kept
const MAX_KEPT = 200; // pictures of all strips; the oldest go first

/** @type {Map<string, string>} */
const written = new Map(); // picture key -> what was written of it, as text
/** @type {Set<string>} */
const stored = new Set(); // keys of pictures whose files are kept already: they are written again without the file
/** @type {string | null} */
let strip = null; // the name of the strip that `written` is about
let working = Promise.resolve();
let told = false; // that pictures cannot be kept
/** @type {string | null} */
let sought = null; // the explanation whose strip is being looked for

/** Fires `change`. */
export const keptStrips = new EventTarget();

/** Whether this browser may have kept pictures: so a first visit reads nothing. */
export function mayHaveKept() {
  try {
    return localStorage.getItem(FLAG) !== null;
  } catch {
    return true;
  }
}

/** @param {boolean} some */
function setFlag(some) {
  try {
    if (some) localStorage.setItem(FLAG, "");
    else localStorage.removeItem(FLAG);
  } catch {
    // Without it the table is read at each visit.
  }
}

/** Says, once, that the pictures cannot be kept: they last only as long as the page. @param {Error | undefined} error */
function failed(error) {
  if (told || !store.state.pictures.some(({ source }) => source?.field === "image")) return;
  told = true;
  const full = error?.name === "QuotaExceededError";
  const problem = new api.Problem({ title: t("kept.not"), detail: t(full ? "kept.not.full" : "kept.not.off") });
  if (!store.state.notice) showNotice({ place: "picture", problem, retry: null });
}

/**
 * Writes one after another, so that the last one wins.
 * @param {() => Promise<any>} run
 */
function later(run) {
  working = working.then(run).then(() => { keptStrips.dispatchEvent(new Event("change")); }, failed);
  return working;
}

/**
 * @param {PictureEntry} entry
 * @param {number} place
 */
const textOf = ({ id, name }, place) => JSON.stringify([place, id, name]);

/**
 * @param {PictureEntry} entry
 * @param {string} name - of the strip
 * @param {number} place
 * @returns {KeptPicture}
 */
function keptFrom({ key, id, name: title, source, url }, name, place) {
  const chosen = source?.field === "image" ? source.value : null;
  const sample = source?.field === "sample" ? source.value : null;
  const file = stored.has(key) ? null : chosen;
  return { key, strip: name, place, time: Date.now(), id, name: title, sample, file, url: chosen ? null : url, original: originalOf(file) ?? null };
}

/**
 * @param {KeptPicture} kept
 * @returns {PictureEntry}
 */
function entryFrom({ key, id, name, sample, file, url, original }) {
  const address = file ? URL.createObjectURL(file) : sample || !id ? (url ?? "") : api.pictureUrl(id);
  const source = file ? { field: "image", value: file } : sample ? { field: "sample", value: sample } : null;
  if (file && original) rememberOriginal(file, original);
  return { key, id, name, source, url: address };
}

/** @param {State} state */
function follow({ strip: name, pictures }) {
  if (name !== strip) {
    written.clear();
    strip = name;
  }
  if (name === null) {
    if (pictures.length) bringBack();
    return;
  }
  const here = new Set(pictures.map(({ key }) => key));
  const gone = [...written.keys()].filter((key) => !here.has(key));
  for (const key of gone) written.delete(key);
  const fresh = pictures.map((entry, place) => ({ entry, place })).filter(({ entry, place }) => written.get(entry.key) !== textOf(entry, place));
  for (const { entry, place } of fresh) written.set(entry.key, textOf(entry, place));
  // A picture that comes back has another key: its old one goes with what comes in its place. Others are kept one by one,
  // for one may be too large.
  if (gone.length) later(() => keep(fresh, name, gone));
  else for (const one of fresh) later(() => keep([one], name));
  if (fresh.length) later(prune);
}

/**
 * @param {{ entry: PictureEntry, place: number }[]} fresh
 * @param {string} name - of the strip
 * @param {string[]} gone - keys
 */
async function keep(fresh, name, gone = []) {
  const here = fresh.filter(({ entry }) => written.has(entry.key)); // the others were taken out meanwhile
  await changeKept(here.map(({ entry, place }) => keptFrom(entry, name, place)), gone);
  for (const { entry } of here) stored.add(entry.key);
  if (here.length) setFlag(true);
}

async function prune() {
  const all = await keptPictures();
  const old = all.filter((kept) => kept.strip !== strip).slice(0, Math.max(0, all.length - MAX_KEPT));
  if (old.length) await dropKept(old.map(({ key }) => key));
}

/** Brings back the strip of the explanation that is shown: the one that its history entry names, or that has a picture with its id. */
async function bringBack() {
  const { id, picture } = store.state;
  const { strip: named = null, paused = false } = history.state ?? {};
  if (!id || !picture || sought === id || !(named || mayHaveKept())) return;
  sought = id;
  /** @type {KeptPicture[]} */
  const all = await keptPictures().catch(() => []);
  const name = named ?? all.findLast((kept) => kept.id === id)?.strip;
  const { state } = store;
  sought = null;
  if (!name || state.strip !== null || state.picture?.key !== picture.key) return;
  const kept = all.filter((each) => each.strip === name).sort((one, other) => one.place - other.place);
  const found = new Map(kept.map((each) => [each.key, entryFrom(each)]));
  const shown = state.pictures.find(({ key }) => key === picture.key);
  const own = found.get(picture.key) ?? [...found.values()].findLast((entry) => entry.id === id);
  const entries = [...found.values()].map((entry) => (entry === own && shown ? { ...shown, name: shown.name ?? own.name, source: own.source } : entry));
  const others = state.pictures.filter(({ key }) => !entries.some((entry) => entry.key === key));
  strip = name;
  written.clear();
  for (const each of kept) written.set(each.key, textOf(/** @type {PictureEntry} */ (found.get(each.key)), each.place));
  if (paused) pausePictures(true);
  setStrip(name, [...entries, ...others]);
}

export function keepStrips() {
  store.watch(["pictures", "strip", "id"], follow);
}

/**
 * Forgets the picture of an explanation, in whatever strip it is kept.
 * @param {string} id
 */
export const forgetKept = (id) => mayHaveKept() && later(async () => {
  const found = (await keptPictures()).filter((kept) => kept.id === id);
  await dropKept(found.map(({ key }) => key));
});

/**
 * Takes a strip out of this browser.
 * @param {string} name
 */
export const dropStrip = (name) => later(async () => {
  const all = await keptPictures();
  await dropKept(all.filter((kept) => kept.strip === name).map(({ key }) => key));
  if (all.every((kept) => kept.strip === name)) setFlag(false);
});

/**
 * Keeps again what was taken out.
 * @param {KeptPicture[]} kept
 */
export const putBack = (kept) => later(async () => {
  for (const each of kept) await changeKept([each]);
  setFlag(true);
});

/**
 * The strips to offer on the start page: those of several pictures, or of one that was never sent. The newest first.
 * @returns {Promise<KeptPicture[][]>}
 */
export async function stripsToOffer() {
  /** @type {KeptPicture[]} */
  const all = mayHaveKept() ? await keptPictures().catch(() => []) : [];
  /** @type {Map<string, KeptPicture[]>} */
  const strips = new Map();
  for (const kept of all) strips.set(kept.strip, [...(strips.get(kept.strip) ?? []), kept]);
  return [...strips.values()].filter((kept) => kept.length > 1 || kept.some(({ id, file }) => file && !id)).reverse();
}

/**
 * A kept strip as entries, in its order.
 * @param {KeptPicture[]} kept
 */
export function takeStrip(kept) {
  const entries = kept.toSorted((one, other) => one.place - other.place).map(entryFrom);
  strip = kept[0].strip;
  written.clear();
  entries.forEach((entry, place) => written.set(entry.key, textOf(entry, place)));
  setStrip(kept[0].strip, entries);
  return entries;
}
