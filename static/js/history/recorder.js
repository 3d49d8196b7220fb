// Writes the history: what was finished or opened on this page, and what the server turned out to have forgotten.

import * as api from "../api/client.js";
import { idOfAddress } from "../controller/controller.js";
import { describePicture } from "../state/actions.js";
import { shownInput } from "../state/models.js";
import { originOf } from "../state/picture-origin.js";
import { store } from "../state/store.js";
import { explanationHistory } from "./history.js";

/**
 * @import { ClassBody } from "../api/types.js"
 * @import { Panel, State } from "../state/types.js"
 */

/** @type {<T>(values: T[]) => T[]} */
const unique = (values) => [...new Set(values)];

/**
 * The classes that were explained, where it is not the top one alone.
 * @param {Panel[]} panels
 * @param {ClassBody | undefined} top
 */
function targetsOf(panels, top) {
  const labels = unique(panels.map(({ target }) => target?.label).filter(Boolean));
  return labels.length === 1 && labels[0] === top?.label ? null : labels.join(", ") || null;
}

/**
 * All of what was asked, as text.
 * @param {State} state
 */
function questionOf({ panels, ask }) {
  const { against, score, seed, fit, size, options } = ask;
  const maps = panels.map(({ model, method, target }) => [model, method, target?.index, options[method] ?? {}]);
  return JSON.stringify([maps.map((map) => JSON.stringify(map)).sort(), against?.index, score, seed, fit, size]);
}

async function addEntry() {
  const { id, picture, panels } = store.state;
  if (!id || !picture) return;
  const input = shownInput();
  const top = input?.predictions[0];
  const known = explanationHistory.of(id);
  explanationHistory.put(id, {
    name: picture.name ?? known?.name ?? null,
    sample: originOf(store.state).sample ?? known?.sample ?? null,
    models: unique(panels.map(({ model }) => model)),
    label: top?.label ?? null,
    target: targetsOf(panels, top),
    methods: unique(panels.map(({ method }) => method)),
    question: questionOf(store.state),
    gone: false,
  });
  if (!known?.thumbnail) await addThumbnail(id, picture.url);
  const entry = explanationHistory.of(id);
  if (entry) explanationHistory.dropDoubles(entry);
}

/**
 * Where the code for it cannot be fetched, the entry has no picture before the explanation is opened again.
 * @param {string} id
 * @param {string} url
 */
async function addThumbnail(id, url) {
  const code = await import("./thumbnail.js").catch(() => null);
  if (!code) return;
  const thumbnail = (await code.thumbnailOf(url)) ?? (await code.thumbnailOf(api.pictureUrl(id)));
  if (thumbnail && explanationHistory.of(id)) explanationHistory.put(id, { thumbnail });
}

/** A recorded explanation has no name of its picture: this browser may know it. */
function restoreName() {
  const { id, picture } = store.state;
  const known = id && picture && picture.name === null ? explanationHistory.of(id) : null;
  if (known?.name) describePicture({ name: known.name, sample: known.sample });
}

export function keepHistory() {
  store.watch(["phase"], ({ phase, id, panels }) => {
    if (id && (phase === "done" || (phase === "cancelled" && panels.some(({ status }) => status === "done")))) addEntry();
  });
  store.watch(["picture"], restoreName);
  store.watch(["notice"], ({ notice }) => {
    const id = idOfAddress();
    if (id && notice?.problem.status === 404 && explanationHistory.of(id)) explanationHistory.put(id, { gone: true });
  });
}

/**
 * Whether the server still has the explanation; if not, its entry is marked as gone.
 * @param {string} id
 */
export async function isOnServer(id) {
  try {
    await api.explanation(id);
  } catch (error) {
    if (error.status === 404) {
      explanationHistory.put(id, { gone: true });
      return false;
    }
  }
  return true;
}
