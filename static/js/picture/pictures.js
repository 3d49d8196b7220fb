// The strip of pictures: one question, asked of a picture when it is looked at for the first time.

import { addressOf, clear, explainPicture, showEarlierView, updateHistoryEntry } from "../controller/controller.js";
import { setPictures } from "../state/actions.js";
import { emptyView } from "../state/initial.js";
import { dropPicture } from "../state/result-cache.js";
import { store } from "../state/store.js";
import { goTo } from "../url-state/steps.js";

/**
 * @import { SampleBody } from "../api/types.js"
 * @import { PictureEntry, State, ViewState } from "../state/types.js"
 */

const MAX_PICTURES = 24;
/** @type {Map<string, { question: string, view: any }>} */
const keptViews = new Map(); // picture key -> the view when another picture was chosen, and the question that it answers
let count = 0;

/** @param {string} key */
const indexOf = (key) => store.state.pictures.findIndex((entry) => entry.key === key);

// An address outlives the page: a key must not be given twice.
function newKey() {
  count += 1;
  return `${Math.round(performance.timeOrigin)}.${count}`;
}

/**
 * The question as text, to compare it.
 * @param {State} state
 */
const questionText = ({ ask, layout: { hiddenRows, hiddenMethods } }) => JSON.stringify([ask, hiddenRows, hiddenMethods]);

function keepView() {
  const { state } = store;
  if (state.phase !== "done" || !state.picture) return;
  const { phase, id, picture, inputs, panels, hiddenPanels, seconds } = state;
  keptViews.set(picture.key, { question: questionText(state), view: { phase, id, picture, inputs, panels, hiddenPanels, seconds } });
}

/**
 * Takes pictures, [{url, name, source}], into the strip, and explains the first of them.
 * @param {Pick<PictureEntry, "url" | "name" | "source">[]} pictures
 */
export function addPictures(pictures) {
  keepView();
  const entries = pictures.slice(0, MAX_PICTURES).map((picture) => ({ key: newKey(), id: null, ...picture }));
  const room = MAX_PICTURES - entries.length;
  const { ask, pictures: old } = store.state;
  for (const { key } of old.slice(0, Math.max(0, old.length - room))) drop(key);
  setPictures([...store.state.pictures, ...entries]);
  // A single chosen class belongs to the old picture and is dropped; several are kept, to compare them here too.
  explainPicture(entries[0], ask.targets.length > 1 ? {} : { targets: [], against: null });
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
  const kept = keptViews.get(key);
  if (kept?.question === questionText(store.state)) showEarlierView(kept.view);
  else explainPicture(store.state.pictures[indexOf(key)], {}, before);
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
    clear();
    goTo(() => addressOf(null));
    return;
  }
  choosePicture(neighbour.key, { ...emptyView(), ask, layout, row });
  drop(key);
  updateHistoryEntry(); // or a reload brings it back
}

/**
 * Takes out what the server has forgotten. The address leads nowhere now: that of what is shown next replaces it.
 * @param {string} id
 */
export function removeForgotten(id) {
  const { pictures, picture } = store.state;
  for (const entry of pictures) if (entry.id === id && entry.key !== picture?.key) drop(entry.key);
  history.replaceState({ gone: true }, "", addressOf(null));
  if (picture) removePicture(picture.key);
}
