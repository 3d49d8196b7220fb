// The strip of pictures: one question, asked of a picture when it is looked at for the first time.

import { Problem } from "../api/client.js";
import { addressOf, clear, explainPicture, showEarlierView, updateHistoryEntry } from "../controller/controller.js";
import { pausePictures, setPictureJob, setPictures, setStrip, showNotice } from "../state/actions.js";
import { emptyView } from "../state/initial.js";
import { recordedPanel } from "../state/panels.js";
import { dropPicture } from "../state/result-cache.js";
import { store } from "../state/store.js";
import { t } from "../shared/texts.js";
import { goTo } from "../url-state/steps.js";
import { dropStrip, forgetKept } from "./kept-strips.js";

/**
 * @import { Explanation, SampleBody } from "../api/types.js"
 * @import { PictureEntry, State, ViewState } from "../state/types.js"
 */

export const MAX_PICTURES = 24;
/** @type {Map<string, { question: string, view: any }>} */
const keptViews = new Map(); // picture key -> the view when another picture was chosen, and the question that it answers
let count = 0;

/** @param {string} key */
const indexOf = (key) => store.state.pictures.findIndex((entry) => entry.key === key);

// Keys are kept in history entries, which outlive the page: none must be given twice.
function newKey() {
  count += 1;
  return `${Math.round(performance.timeOrigin)}.${count}`;
}

/**
 * The question as JSON, to tell whether two are the same; nobody reads it.
 * @param {State} state
 */
export const questionKey = ({ ask, layout: { hiddenRows, hiddenMethods } }) => JSON.stringify([ask, hiddenRows, hiddenMethods]);

function keepView() {
  const { state } = store;
  if (state.phase !== "done" || !state.picture) return;
  const { phase, id, picture, inputs, panels, hiddenPanels, seconds } = state;
  setPictureJob(picture.key, { status: "done", question: questionKey(state), record: null });
  keptViews.set(picture.key, { question: questionKey(state), view: { phase, id, picture, inputs, panels, hiddenPanels, seconds } });
}

/**
 * Takes pictures, [{url, name, source}], into the strip as far as there is room, and explains the first of them.
 * @param {Pick<PictureEntry, "url" | "name" | "source">[]} pictures
 */
export function addPictures(pictures) {
  keepView();
  const { ask, pictures: old, strip } = store.state;
  const entries = pictures.slice(0, MAX_PICTURES - old.length).map((picture) => ({ key: newKey(), id: null, ...picture }));
  for (const { url } of pictures.slice(entries.length)) URL.revokeObjectURL(url);
  if (entries.length) {
    if (!strip) pausePictures(false);
    setStrip(strip ?? newKey(), [...old, ...entries]);
    // A single chosen class belongs to the old picture and is dropped; several are kept, to compare them here too.
    explainPicture(entries[0], ask.targets.length > 1 ? {} : { targets: [], against: null });
  }
  if (entries.length < pictures.length) tellFull(pictures.length - entries.length);
}

/** @param {number} count - of the pictures that found no room */
function tellFull(count) {
  const problem = new Problem({ title: t("strip.full", { limit: MAX_PICTURES }), detail: t("strip.full.detail", { count }) });
  showNotice({ place: "picture", problem, retry: null });
}

/** @param {SampleBody[]} samples */
export const addSamples = (samples) => addPictures(samples.map(({ id, title, url }) => ({ url, name: title, source: { field: "sample", value: id } })));

/**
 * Shows a picture of the strip with the question as it stands; `before` is what is shown again should it be refused.
 * @param {string} key
 * @param {ViewState} [before]
 */
export function choosePicture(key, before) {
  if (key === store.state.picture?.key) return;
  keepView();
  const question = questionKey(store.state);
  const kept = keptViews.get(key);
  const job = store.state.pictureJobs[key];
  const entry = store.state.pictures[indexOf(key)];
  if (kept?.question === question) showEarlierView(kept.view);
  else if (job?.record && job.question === question) showEarlierView(viewOf(entry, job.record));
  else explainPicture(entry, {}, before);
}

/**
 * The view of an answer that was computed while another picture was shown.
 * @param {PictureEntry} entry
 * @param {Explanation} record
 * @returns {Parameters<typeof showEarlierView>[0]}
 */
function viewOf({ key, url, name }, record) {
  const { width, height } = record.image;
  const picture = { key, url, name, width, height };
  const inputs = new Map(record.inputs.map((input) => [input.model, input]));
  const state = { ...store.state, picture, inputs };
  const panels = record.panels.map((panel) => recordedPanel(panel, state));
  return { phase: "done", id: record.id, picture, inputs, panels, hiddenPanels: [], seconds: record.seconds };
}

/** @param {string} key */
function drop(key) {
  const { url } = store.state.pictures[indexOf(key)];
  URL.revokeObjectURL(url);
  keptViews.delete(key);
  dropPicture(key);
  setPictures(store.state.pictures.filter((entry) => entry.key !== key));
}

/**
 * Takes the shown picture out of the strip; its neighbour is shown, or the start page where there is none.
 * @param {string} key
 */
export function removePicture(key) {
  const { pictures, ask, layout, row } = store.state;
  const index = indexOf(key);
  const neighbour = pictures[index + 1] ?? pictures[index - 1];
  if (!neighbour) {
    removeAll();
    return;
  }
  choosePicture(neighbour.key, { ...emptyView(), ask, layout, row });
  drop(key);
  updateHistoryEntry(); // or a reload brings it back
}

/** Takes all pictures out, of the strip and of this browser; the start page is shown. */
export function removeAll() {
  const { strip } = store.state;
  keptViews.clear();
  clear();
  goTo(() => addressOf(null));
  if (strip) dropStrip(strip);
}

/**
 * Takes any picture out of the strip, shown or not.
 * @param {string} key
 */
export function removeAny(key) {
  if (key === store.state.picture?.key) return removePicture(key);
  drop(key);
  return updateHistoryEntry();
}

/**
 * Takes out what the server has forgotten. The address leads nowhere now: that of what is shown next replaces it.
 * @param {string} id
 */
export function removeForgotten(id) {
  const { pictures, picture } = store.state;
  forgetKept(id);
  for (const entry of pictures) if (entry.id === id && entry.key !== picture?.key) drop(entry.key);
  history.replaceState({ gone: true }, "", addressOf(null));
  if (picture) removePicture(picture.key);
}
