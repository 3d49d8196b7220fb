// What happens on the page: ask, follow the stream, cancel, open an address.

import * as api from "../api/client.js";
import { announce } from "../shared/announce.js";
import { t } from "../shared/texts.js";
import { clearView, describePicture, placePanels, restoreView, setAsk, setPictures, showNotice, stopRun } from "../state/actions.js";
import { emptyLayout, emptyView } from "../state/initial.js";
import { everyPanel, expectedPanels, isFinal, recordedPanel } from "../state/panels.js";
import { keyOf, requested, rowId, shownMethods } from "../state/rows.js";
import { store } from "../state/store.js";
import { addressNow, fragmentOf, restoreAddress } from "../url-state/address.js";

/**
 * @import { Explanation } from "../api/types.js"
 * @import { Ask, Layout, Notice, Panel, Picture, PictureEntry, Source, State, ViewState } from "../state/types.js"
 * @import { Signals } from "./stream-events.js"
 */

/** @typedef {Partial<Pick<State, "layout" | "row">>} Arrangement */

// Modules that are wanted with the first picture are imported then: the workbench has brought them along by that time.

/** @param {AbortSignal} signal */
const fetchShown = async (signal) => (await import("./panel-arrays.js")).fetchShown(signal);

// Two lifetimes: the stream ends by Cancel, the view (its arrays too) when something else is shown.
let stream = new AbortController();
let view = new AbortController();

// Between a request and its answer, when the address is still that of what was shown before.
let asking = false;

/** @returns {Signals} */
function supersede() {
  asking = false;
  stream.abort();
  view.abort();
  stream = new AbortController();
  view = new AbortController();
  return { stream: stream.signal, view: view.signal, order: 0 };
}

const VIEW_KEYS = /** @type {(keyof ViewState)[]} */ (Object.keys(emptyView()));
/** @type {() => ViewState} */
const snapshot = () => /** @type {any} */ (Object.fromEntries(VIEW_KEYS.map((key) => [key, store.state[key]])));

/** @param {string | null} id */
export const addressOf = (id) => (id ? `/e/${encodeURIComponent(id)}` : "/");

export function idOfAddress() {
  const match = /^\/e\/([^/]+)$/.exec(location.pathname);
  return match ? decodeURIComponent(match[1]) : null;
}

/** @param {Source | null | undefined} source */
function fieldsOf(source) {
  const { ask } = store.state;
  const { models, targets, methods } = requested(store.state);
  /** @type {[string, any][]} */
  const fields = source ? [[source.field, source.value]] : [];
  for (const model of models) fields.push(["model", model]);
  for (const method of methods) fields.push(["method", method]);
  for (const target of targets) if (target || targets.length > 1) fields.push(["target", target?.index ?? "top"]);
  if (ask.against) fields.push(["against", ask.against.index]);
  if (ask.score !== "logit") fields.push(["score", ask.score]);
  if (ask.seed) fields.push(["seed", ask.seed]);
  if (ask.fit) fields.push(["fit", ask.fit]);
  if (ask.size) fields.push(["size", ask.size]);
  const options = Object.entries(ask.options).filter(([method]) => shownMethods(store.state).includes(method));
  if (options.length) fields.push(["options", JSON.stringify(Object.fromEntries(options))]);
  return fields;
}

// The entry of the browser's history remembers what the server's record does not tell: order, what is hidden,
// what was asked and broken off; and the other pictures.
function remembered() {
  const { ask, layout, row, picture, pictures } = store.state;
  // A file that the server has not seen yet cannot be remembered.
  const strip = pictures.filter(({ id, source }) => id || source?.field === "sample").map(({ key, id, name, source, url }) => (
    source?.field === "sample" || !id ? { key, id, name, source, url } : { key, id, name, source: null, url: api.pictureUrl(id) }));
  return { ask, layout, row, picture: picture?.key, pictures: strip };
}

/** Lets the address remember at once how the view is arranged now, unless it still is that of another question. */
export function remember() {
  if (store.state.id && !asking) history.replaceState({ ...history.state, ...remembered() }, "", addressNow());
}

/**
 * Where the server gets a picture from: once it has it, only an id is sent.
 * @param {PictureEntry | undefined} entry
 * @returns {Source | null | undefined}
 */
const sourceOf = (entry) => (entry?.id ? { field: "from", value: entry.id } : entry?.source);

/** @param {Picture | null} picture */
const entryOf = (picture) => store.state.pictures.find(({ key }) => key === picture?.key);

/**
 * Changes the view, to panels that are yet to come or were here before.
 * @param {Partial<State>} patch
 */
const expect = (patch) => placePanels(expectedPanels({ ...store.state, ...patch }), patch);

/**
 * A step on in the browser's history; an address that leads nowhere any more gives up its place.
 * @param {string} address
 * @param {any} state
 */
export function goTo(address, state = null) {
  if (history.state?.gone) history.replaceState(state, "", address);
  else history.pushState(state, "", address);
}

/**
 * Explains another picture of the strip; `before` is what is shown again should it be refused.
 * @param {PictureEntry} entry
 * @param {Partial<Ask>} change
 * @param {ViewState} before
 */
export function explainPicture({ key, url, name }, change = {}, before = snapshot()) {
  const { ask, layout, row } = store.state;
  expect({ ...emptyView(), phase: "running", picture: { key, url, name }, layout, row, ask: { ...ask, ...change } });
  run(before);
}

/**
 * Asks something else of the picture that is shown; `layout` and `row` may change with the question.
 * @param {Partial<Ask>} change
 * @param {Arrangement} arrangement
 */
export function explainAgain(change = {}, { layout, row } = store.state) {
  const before = snapshot();
  expect({ phase: "running", ask: { ...before.ask, ...change }, layout, row, notice: null, seconds: null });
  run(before);
}

/**
 * Shows a view that was left: the same question, all maps here.
 * @param {Pick<ViewState, "phase" | "id" | "picture" | "inputs" | "panels" | "hiddenPanels" | "seconds">} left
 */
export function showAgain(left) {
  const signals = supersede();
  placePanels([...left.panels, ...left.hiddenPanels], { ...left, notice: null });
  goTo(addressOf(left.id) + fragmentOf(store.state), remembered());
  fetchShown(signals.view);
}

/**
 * Shows what was hidden; only what is not here is asked for.
 * @param {Layout} layout
 */
export function showArranged(layout) {
  const { ask, row } = store.state;
  if (withMissing(everyPanel(), { ...store.state, layout }).length > everyPanel().length) return explainAgain(ask, { layout, row });
  placePanels(everyPanel(), { layout });
  remember();
  return fetchShown(view.signal);
}

export function cancel() {
  stream.abort();
  stopRun("cancelled");
  announce(t("announce.cancelled"));
}

/**
 * Back to what was on the page; what was being computed or fetched then has been broken off since.
 * @param {ViewState} before
 * @param {Signals} signals
 */
function restore(before, signals) {
  restoreView(before);
  if (before.phase === "running") stopRun("cancelled");
  fetchShown(signals.view);
}

/** @param {ViewState} before */
async function run(before) {
  const signals = supersede();
  let accepted = false;
  asking = true;
  try {
    const { takeEvent } = await import("./stream-events.js");
    if (signals.stream.aborted) return;
    const source = sourceOf(entryOf(store.state.picture));
    for await (const { event, data } of api.explain(fieldsOf(source), signals.stream)) {
      if (signals.stream.aborted) return;
      accepted ||= event === "accepted";
      if (event === "error") throw new api.Problem(data);
      takeEvent(event, data, signals);
      if (event === "accepted") settleAddress(data.id);
    }
  } catch (error) {
    if (signals.stream.aborted) return;
    const retry = () => (accepted ? explainAgain() : again(before));
    fail(api.problemOf(error), { accepted, retry, before, signals });
  }
}

/**
 * The explanation has an address now.
 * @param {string} id
 */
function settleAddress(id) {
  asking = false;
  goTo(addressOf(id) + fragmentOf(store.state), remembered());
}

/** @param {ViewState} before */
function again(before) {
  expect({ phase: "running", notice: null });
  run(before);
}

/**
 * An error is told where it happened: at the maps, at the question, or at the picture.
 * @param {InstanceType<typeof api.Problem>} problem
 * @param {{ accepted: boolean, retry: () => void, before: ViewState, signals: Signals }} run
 */
function fail(problem, { accepted, retry, before, signals }) {
  if (accepted) {
    stopRun("cancelled");
    showNotice({ place: "grid", problem, retry });
    return;
  }
  const aboutAsk = problem.fields.some((field) => /target|against|score|seed|model|method|options|fit|size/.test(field));
  const { picture } = store.state;
  const another = picture?.key !== before.picture?.key;
  const name = aboutAsk || !another ? null : picture?.name;
  /** @type {Notice} */
  const notice = { place: aboutAsk && before.id ? "ask" : "picture", problem, name, retry: null };
  if (problem.passing) {
    stopRun("failed");
    showNotice({ ...notice, retry });
  } else {
    // Asking the same again would not help: what was there before comes back, nothing is lost.
    asking = false;
    restore({ ...before, notice }, signals);
    const others = store.state.pictures.filter(({ key }) => key !== picture?.key);
    if (before.phase === "empty") settleFor(aboutAsk ? [] : others, notice);
    else if (another && !(aboutAsk && before.id)) setPictures(others);
  }
}

/**
 * Where there is nothing to go back to, the next picture is explained; the start page takes none along.
 * @param {PictureEntry[]} pictures
 * @param {Notice} notice
 */
function settleFor(pictures, notice) {
  setPictures(pictures);
  if (pictures.length) explainPicture(pictures[0]);
  else clearView();
  showNotice(notice);
}

/**
 * Shows a recorded explanation again: a reload, a shared address, back and forward.
 * @param {string} id
 */
export async function open(id) {
  const signals = supersede();
  const retry = () => open(id);
  const { ask, picture: key = id, pictures } = history.state ?? {};
  const strip = stripWith({ key, id }, store.state.pictures.length ? store.state.pictures : (pictures ?? []));
  const { url, name } = /** @type {PictureEntry} */ (strip.find((entry) => entry.key === key));
  const start = emptyView();
  expect({ ...start, phase: "loading", id, picture: { key, url, name }, pictures: strip, ask: ask ?? start.ask, ...rememberedRows(history.state) });
  try {
    const [record, question] = await Promise.all([
      api.explanation(id, { signal: signals.view }), import("../state/recorded-question.js"),
    ]);
    if (!signals.view.aborted) showRecord(record, ask ? null : question, signals);
  } catch (failure) {
    if (signals.view.aborted) return;
    const error = api.problemOf(failure);
    const problem = error.status === 404 ? new api.Problem({ ...error, title: t("problem.gone"), detail: error.detail }) : error;
    // Without a key nothing else of the page has come either: all of it is asked for again.
    const again = error.status === 401 ? () => location.reload() : retry;
    clearView({ place: "picture", problem, retry: error.passing || error.status === 401 ? again : null });
  }
}

/**
 * Layout and row of an entry of the browser's history; older pages wrote the keys of rows as text, which are passed over.
 * @param {any} entry
 * @returns {Pick<State, "layout" | "row">}
 */
function rememberedRows(entry) {
  const { layout = emptyLayout(), row = null } = entry ?? {};
  const keys = [...layout.rows, ...layout.hiddenRows, ...(row ? [row] : [])];
  return keys.every((key) => typeof key === "object") ? { layout, row } : { layout: emptyLayout(), row: null };
}

/**
 * The strip; the picture that is shown is in it, and asked for by this explanation's id.
 * @param {{ key: string, id: string }} shown
 * @param {PictureEntry[]} known
 * @returns {PictureEntry[]}
 */
function stripWith({ key, id }, known) {
  if (known.some((entry) => entry.key === key)) return known.map((entry) => (entry.key === key ? { ...entry, id } : entry));
  return [...known, { key, id, name: null, source: null, url: api.pictureUrl(id) }];
}

/**
 * @param {Explanation} record
 * @param {typeof import("../state/recorded-question.js") | null} question - reads back what was asked, where this page does not know
 * @param {Signals} signals
 */
function showRecord(record, question, signals) {
  const inputs = new Map(record.inputs.map((input) => [input.model, input]));
  const ask = question ? question.askOf(record, inputs) : store.state.ask;
  const state = { ...store.state, ask, inputs };
  const panels = withMissing(record.panels.map((panel) => recordedPanel(panel, state)), state);
  const whole = panels.length > 0 && panels.every(isFinal);
  placePanels(panels, { phase: whole ? "done" : "cancelled", id: record.id, inputs, ask, seconds: record.seconds ?? null });
  if (record.image) describePicture({ width: record.image.width, height: record.image.height });
  fetchShown(signals.view);
  if (!question) return;
  // Once defaults and models' own ways are known, the question is only what differs from them.
  store.watch(["methods"], ({ methods }) => methods && setAsk({ options: question.withoutDefaults(store.state.ask.options) }), signals.view);
  store.watch(["models"], () => {
    const asked = question.inputAsked(inputs);
    if (asked) setAsk(asked);
  }, signals.view);
}

/**
 * The panels, with those that a broken off request left out.
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

export function clear() {
  supersede();
  for (const { url } of store.state.pictures) URL.revokeObjectURL(url);
  clearView();
}

export function followAddress() {
  const id = idOfAddress();
  // Another view of what is on the page already asks nothing of the server.
  if (!id) clear();
  else if (id !== store.state.id) open(id);
  if (id) restoreAddress();
}

/**
 * Goes to an address of ours, as a click on a link would.
 * @param {string} address
 */
export function visit(address) {
  history.pushState(null, "", address);
  followAddress();
}
