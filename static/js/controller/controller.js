// What the user can do on the page: ask a question, cancel, open an explanation's address, go back and forward.

import * as api from "../api/client.js";
import { announce } from "../shared/announce.js";
import { t } from "../shared/texts.js";
import { nextTask } from "../shared/turns.js";
import { clearView, describePicture, placePanels, restoreView, setAsk, setPictures, showNotice, stopRun } from "../state/actions.js";
import { previousMaps } from "../state/previous.js";
import { emptyLayout, emptyView } from "../state/initial.js";
import { questionText } from "../state/models.js";
import { allPanels, expectedPanels, isFinal, missingPanel, recordedPanel } from "../state/panels.js";
import { keyOf, requested, rowId, shownMethods } from "../state/rows.js";
import { store } from "../state/store.js";
import { addressNow, fragmentOf, restoreAddress } from "../url-state/address.js";
import { followEntry, goTo, leaveSteps } from "../url-state/steps.js";

/**
 * @import { Explanation } from "../api/types.js"
 * @import { Ask, AskedClass, Layout, Notice, Panel, Picture, PictureEntry, Source, State, ViewState } from "../state/types.js"
 * @import { Signals } from "./stream-events.js"
 */

/** @typedef {Partial<Pick<State, "layout" | "row">>} Arrangement Order and hidden parts of the grid, and the chosen row */

// Imported only with the first picture: by then the workbench has loaded this module anyway.

/** @param {AbortSignal} signal */
const fetchShown = async (signal) => (await import("./panel-arrays.js")).fetchShown(signal);

// Cancel aborts the stream. Showing something else aborts the view too: loading its record and its arrays.
let stream = new AbortController();
let view = new AbortController();

// True from a request until the server accepts it: meanwhile the address is still that of the explanation shown before.
let addressPending = false;

/**
 * Aborts what is running and loading, and returns the signals for what comes next.
 * @returns {Signals}
 */
function supersede() {
  addressPending = false;
  stream.abort();
  view.abort();
  stream = new AbortController();
  view = new AbortController();
  return { stream: stream.signal, view: view.signal, order: 0 };
}

const VIEW_KEYS = /** @type {(keyof ViewState)[]} */ (Object.keys(emptyView()));
/**
 * A copy of the view, to come back to.
 * @type {() => ViewState}
 */
const snapshot = () => /** @type {any} */ (Object.fromEntries(VIEW_KEYS.map((key) => [key, store.state[key]])));

/**
 * The path of an explanation's page.
 * @param {string | null} id
 */
export const addressOf = (id) => (id ? `/e/${encodeURIComponent(id)}` : "/");

/** The id of the explanation that the address bar names, or null. */
export function idOfAddress() {
  const match = /^\/e\/([^/]+)$/.exec(location.pathname);
  return match ? decodeURIComponent(match[1]) : null;
}

/**
 * A class as it is asked for: by its label where the models number it differently.
 * @param {AskedClass} target
 */
const nameOf = ({ index, label, indices }) => (indices ? label : index);

/**
 * The form fields of a request for the question as it is now.
 * @param {Source | null | undefined} source
 * @param {State} state
 */
function requestFields(source, state = store.state) {
  const { ask } = state;
  const { models, targets, methods } = requested(state);
  /** @type {[string, any][]} */
  const fields = source ? [[source.field, source.value]] : [];
  for (const model of models) fields.push(["model", model]);
  for (const method of methods) fields.push(["method", method]);
  for (const target of targets) if (target || targets.length > 1) fields.push(["target", target ? nameOf(target) : "top"]);
  if (ask.against) fields.push(["against", ask.against.index]);
  if (ask.score !== "logit") fields.push(["score", ask.score]);
  if (ask.seed) fields.push(["seed", ask.seed]);
  if (ask.fit) fields.push(["fit", ask.fit]);
  if (ask.size) fields.push(["size", ask.size]);
  const options = Object.entries(ask.options).filter(([method]) => shownMethods(state).includes(method));
  if (options.length) fields.push(["options", JSON.stringify(Object.fromEntries(options))]);
  return fields;
}

// State for an entry of the browser's history. It holds what the server's record does not: order and hidden parts of the
// grid, what was asked but cancelled, and the other pictures of the strip.
function historyState() {
  const { ask, layout, row, picture, pictures, strip, paused } = store.state;
  // A file that the server has not seen yet cannot be stored here: js/picture/kept-strips.js keeps it.
  const entries = pictures.filter(({ id, source }) => id || source?.field === "sample").map(({ key, id, name, source, url }) => (
    source?.field === "sample" || !id ? { key, id, name, source, url } : { key, id, name, source: null, url: api.pictureUrl(id) }));
  return { ask, layout, row, picture: picture?.key, pictures: entries, strip, paused };
}

/** Writes the arrangement of the view into the current history entry, unless that entry still belongs to the previous explanation. */
export function updateHistoryEntry() {
  if (store.state.id && !addressPending) history.replaceState({ ...history.state, ...historyState() }, "", addressNow());
}

/**
 * What a request sends as the picture: only an id if the server has the picture already.
 * @param {PictureEntry | undefined} entry
 * @returns {Source | null | undefined}
 */
const sourceOf = (entry) => (entry?.id ? { field: "from", value: entry.id } : entry?.source);

/**
 * The strip's entry of a picture.
 * @param {Picture | null} picture
 */
const entryOf = (picture) => store.state.pictures.find(({ key }) => key === picture?.key);

/**
 * Changes the state, and shows the panels that it will have: those known already, and empty ones for the rest.
 * @param {Partial<State>} patch
 */
const placeExpected = (patch) => placePanels(expectedPanels({ ...store.state, ...patch }), patch);

/**
 * Explains another picture of the strip. If the server refuses it, the view `before` is shown again.
 * @param {PictureEntry} entry
 * @param {Partial<Ask>} change
 * @param {ViewState} before
 */
export function explainPicture({ key, url, name }, change = {}, before = snapshot()) {
  const { ask, layout, row } = store.state;
  placeExpected({ ...emptyView(), phase: "running", picture: { key, url, name }, layout, row, ask: { ...ask, ...change } });
  run(before);
}

/**
 * Asks another question about the same picture; `layout` and `row` may change with it.
 * @param {Partial<Ask>} change
 * @param {Arrangement} arrangement
 */
export function explainAgain(change = {}, { layout, row } = store.state) {
  const before = snapshot();
  const { state } = store;
  /** @type {Partial<State>} */
  const patch = { phase: "running", ask: { ...before.ask, ...change }, layout, row, notice: null, seconds: null, blink: null };
  const next = { ...state, ...patch };
  const panels = expectedPanels(next);
  placePanels(panels, { ...patch, previous: previousMaps(state, next, panels) });
  run(before);
}

/**
 * Shows an earlier view again, whose maps are all here; nothing is computed.
 * @param {Pick<ViewState, "phase" | "id" | "picture" | "inputs" | "panels" | "hiddenPanels" | "seconds">} earlier
 */
export function showEarlierView(earlier) {
  const signals = supersede();
  placePanels([...earlier.panels, ...earlier.hiddenPanels], { ...earlier, notice: null, previous: null, blink: null });
  goTo(() => addressOf(earlier.id) + fragmentOf(store.state), historyState);
  fetchShown(signals.view);
}

/**
 * Shows the grid in another layout. Panels that are missing then are requested.
 * @param {Layout} layout
 */
export function arrangeAndRequest(layout) {
  const { ask, row } = store.state;
  if (withMissing(allPanels(), { ...store.state, layout }).length > allPanels().length) return explainAgain(ask, { layout, row });
  placePanels(allPanels(), { layout });
  updateHistoryEntry();
  return fetchShown(view.signal);
}

/**
 * Asks the question as it is now about a picture that is not shown, and leaves the view alone; yields the events of the stream.
 * @param {PictureEntry} entry
 * @param {AbortSignal} signal
 */
export const explainAside = (entry, signal) => api.explain(requestFields(sourceOf(entry), { ...store.state, inputs: new Map() }), signal);

export function cancel() {
  stream.abort();
  stopRun("cancelled");
  announce(t("announce.cancelled"));
}

/**
 * Shows an earlier view again. If it was being computed, it is now cancelled.
 * @param {ViewState} before
 * @param {Signals} signals
 */
function restore(before, signals) {
  restoreView(before);
  if (before.phase === "running") stopRun("cancelled");
  fetchShown(signals.view);
}

/**
 * Sends the question and follows the stream of events. If it is refused, the view `before` comes back.
 * @param {ViewState} before
 */
async function run(before) {
  const signals = supersede();
  let accepted = false;
  addressPending = true;
  try {
    const { takeEvent } = await import("./stream-events.js");
    if (signals.stream.aborted) return;
    const source = sourceOf(entryOf(store.state.picture));
    for await (const { event, data } of api.explain(requestFields(source), signals.stream)) {
      if (signals.stream.aborted) return;
      accepted ||= event === "accepted";
      if (event === "error") throw new api.Problem(data);
      takeEvent(event, data, signals);
      if (event === "accepted") pushExplanationAddress(data.id);
    }
  } catch (error) {
    if (signals.stream.aborted) return;
    if (forgetId(error)) return runAgain(before);
    const retry = () => (accepted ? explainAgain() : runAgain(before));
    fail(api.problemOf(error), { accepted, retry, before, signals });
  }
}

/**
 * Whether the server has forgotten the explanation that it was to take the picture from: then the picture is sent again.
 * @param {{ status?: number }} error
 */
function forgetId({ status }) {
  const { picture, pictures } = store.state;
  const entry = entryOf(picture);
  if (status !== 404 || !entry?.id || !entry.source) return false;
  setPictures(pictures.map((each) => (each === entry ? { ...each, id: null } : each)));
  return true;
}

/**
 * Puts the address of the accepted explanation into the address bar, with a new history entry.
 * @param {string} id
 */
function pushExplanationAddress(id) {
  goTo(() => {
    addressPending = false;
    return addressOf(id) + fragmentOf(store.state);
  }, historyState);
}

/**
 * Sends the same question again.
 * @param {ViewState} before
 */
function runAgain(before) {
  placeExpected({ phase: "running", notice: null });
  run(before);
}

/**
 * Shows an error where it belongs: at the maps if the request had been accepted, else at the question or at the picture.
 * @param {InstanceType<typeof api.Problem>} problem
 * @param {{ accepted: boolean, retry: () => void, before: ViewState, signals: Signals }} run
 */
function fail(problem, { accepted, retry, before, signals }) {
  if (accepted) {
    stopRun("cancelled");
    showNotice({ place: "grid", problem, retry });
    return;
  }
  const aboutQuestion = problem.fields.some((field) => /target|against|score|seed|model|method|options|fit|size/.test(field));
  const { picture } = store.state;
  const pictureChanged = picture?.key !== before.picture?.key;
  const name = aboutQuestion || !pictureChanged ? null : picture?.name;
  /** @type {Notice} */
  const notice = { place: aboutQuestion && before.id ? "ask" : "picture", problem, name, retry: null };
  if (problem.transient && !pictureChanged && before.id) {
    // What was there stays, with its own names and numbers; the new question is asked again on request.
    const { ask, layout, row } = store.state;
    addressPending = false;
    const again = () => explainAgain(ask, { layout, row });
    restore({ ...before, notice: { place: "grid", problem, asked: questionText(store.state), retry: again } }, signals);
  } else if (problem.transient) {
    stopRun("failed");
    showNotice({ ...notice, retry });
  } else {
    // The same request would fail again, so the view from before comes back.
    addressPending = false;
    restore({ ...before, notice }, signals);
    const otherPictures = store.state.pictures.filter(({ key }) => key !== picture?.key);
    if (before.phase === "empty") fallBackTo(aboutQuestion ? [] : otherPictures, notice);
    else if (pictureChanged && !(aboutQuestion && before.id)) setPictures(otherPictures);
  }
}

/**
 * With no earlier view to go back to: explains the first of the pictures left, or shows the start page if there is none.
 * @param {PictureEntry[]} pictures
 * @param {Notice} notice
 */
function fallBackTo(pictures, notice) {
  setPictures(pictures);
  if (pictures.length) explainPicture(pictures[0]);
  else clearView();
  showNotice(notice);
}

/**
 * Shows an explanation that the server has stored: after a reload, by a shared address, or going back and forward.
 * @param {string} id
 */
export async function open(id) {
  const signals = supersede();
  const retry = () => open(id);
  const { ask, picture: key = id, pictures } = history.state ?? {};
  const strip = stripWith({ key, id }, store.state.pictures.length ? store.state.pictures : (pictures ?? []));
  const { url, name } = /** @type {PictureEntry} */ (strip.find((entry) => entry.key === key));
  const start = emptyView();
  placeExpected({ ...start, phase: "loading", id, picture: { key, url, name }, pictures: strip, ask: ask ?? start.ask, ...rememberedRows(history.state) });
  try {
    const [record, question] = await Promise.all([
      api.explanation(id, { signal: signals.view }), import("../state/recorded-question.js"),
    ]);
    await nextTask(); // the workbench has just been set up in this one
    if (!signals.view.aborted) showRecord(record, ask ? null : question, signals);
  } catch (failure) {
    if (signals.view.aborted) return;
    const error = api.problemOf(failure);
    const problem = error.status === 404 ? Object.assign(error, { title: t("problem.gone"), titleLanguage: null }) : error;
    // Without a key the page's other data is missing too, so a retry reloads the whole page.
    const again = error.status === 401 ? () => location.reload() : retry;
    clearView({ place: "picture", problem, retry: error.transient || error.status === 401 ? again : null });
  }
}

/**
 * Puts a map from a file (.npy) beside those that are shown; its title is the file's name. A refusal stands at the maps.
 * @param {File} file
 */
export async function addMapFrom(file) {
  const { id } = store.state;
  if (!id) return;
  try {
    await api.addMap(id, file, file.name.replace(/\.npy$/i, ""));
    if (store.state.id === id) await open(id);
  } catch (error) {
    if (store.state.id === id) showNotice({ place: "grid", problem: api.problemOf(error), retry: null });
  }
}

/**
 * Layout and row from a history entry. Entries of older versions have row keys as text; those are ignored.
 * @param {any} entry
 * @returns {Pick<State, "layout" | "row">}
 */
function rememberedRows(entry) {
  const { layout = emptyLayout(), row = null } = entry ?? {};
  const keys = [...layout.rows, ...layout.hiddenRows, ...(row ? [row] : [])];
  return keys.every((key) => typeof key === "object") ? { layout, row } : { layout: emptyLayout(), row: null };
}

/**
 * The strip of pictures, in which the picture shown has this explanation's id; it is added if it is missing.
 * @param {{ key: string, id: string }} shown
 * @param {PictureEntry[]} known
 * @returns {PictureEntry[]}
 */
function stripWith({ key, id }, known) {
  if (known.some((entry) => entry.key === key)) return known.map((entry) => (entry.key === key ? { ...entry, id } : entry));
  return [...known, { key, id, name: null, source: null, url: api.pictureUrl(id) }];
}

/**
 * Shows a stored explanation.
 * @param {Explanation} record
 * @param {typeof import("../state/recorded-question.js") | null} question - the module that reads the question from the record; null if the page knows the question
 * @param {Signals} signals
 */
function showRecord(record, question, signals) {
  const inputs = new Map(record.inputs.map((input) => [input.model, input]));
  const { missing = [] } = record;
  const ask = question ? question.askOf({ ...record, panels: [...record.panels, ...missing] }, inputs) : store.state.ask;
  const state = { ...store.state, ask, inputs };
  const recorded = [...record.panels.map((panel) => recordedPanel(panel, state)), ...missing.map(missingPanel)];
  const panels = withMissing(recorded, state);
  const complete = panels.length > 0 && panels.every(isFinal);
  placePanels(panels, { phase: complete ? "done" : "cancelled", id: record.id, inputs, ask, seconds: record.seconds ?? null });
  if (record.image) describePicture({ width: record.image.width, height: record.image.height });
  fetchShown(signals.view);
  if (!question) return;
  // Once the methods' and models' defaults are known, drop from the question what equals them.
  store.watch(["methods"], ({ methods }) => methods && setAsk({ options: question.withoutDefaults(store.state.ask.options) }), signals.view);
  store.watch(["models"], () => {
    const asked = question.recordedInput(inputs);
    if (asked) setAsk(asked);
  }, signals.view);
}

/**
 * The panels, with those that are missing because the request was cancelled.
 * @param {Panel[]} panels
 * @param {State} state
 * @returns {Panel[]}
 */
function withMissing(panels, state) {
  /** @param {Panel} panel */
  const idOf = (panel) => `${rowId(keyOf(panel, state.ask))} ${panel.method}`;
  const there = new Set(panels.map(idOf));
  const missing = expectedPanels(state).filter((panel) => !there.has(idOf(panel)));
  return [...panels, ...missing.map((panel) => /** @type {Panel} */ (isFinal(panel) ? panel : { ...panel, status: "cancelled" }))];
}

/** Cancels what is running, and shows the start page. */
export function clear() {
  supersede();
  for (const { url } of store.state.pictures) URL.revokeObjectURL(url);
  clearView();
}

/** Shows what the address bar names. */
export function followAddress() {
  const id = idOfAddress();
  // The same explanation with another view needs no request.
  if (!id) clear();
  else if (id !== store.state.id) open(id);
  if (id) restoreAddress();
}

/**
 * Goes to an address of this page, as a click on a link would. What is open over the page is closed first.
 * @param {string} address
 */
export function visit(address) {
  leaveSteps(() => {
    const same = new URL(address, location.href).pathname === location.pathname;
    if (same) history.replaceState(history.state, "", address);
    else history.pushState(null, "", address);
    followAddress();
  });
}

/** After going back or forward. Between entries of one view only what is open over the page changes. */
export function followHistory() {
  if (followEntry(followAddress) && store.state.phase !== "loading") updateHistoryEntry();
}
