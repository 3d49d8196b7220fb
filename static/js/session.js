// What happens on the page: ask, follow the stream, cancel, open an address. The only writer of the view.

import { announce } from "./announce.js";
import * as api from "./api.js";
import * as format from "./format.js";
import { fragmentOf, restoreView } from "./keep/address.js";
import { askedInput, modelOf } from "./models.js";
import { acceptedPanels, expectedPanels, fetchArray, isFinal, recordedPanel, showEstimate } from "./panels.js";
import { emptyView, store } from "./store.js";
import { t } from "./texts.js";

// Two lifetimes: the stream ends by Cancel, the view (its arrays too) when something else is shown.
let stream = new AbortController();
let view = new AbortController();
// The picture on the page, for as long as the server has not given it an id.
let origin = null;

function supersede() {
  stream.abort();
  view.abort();
  stream = new AbortController();
  view = new AbortController();
  return { stream: stream.signal, view: view.signal, order: 0 };
}

const VIEW_KEYS = Object.keys(emptyView());
const snapshot = () => Object.fromEntries(VIEW_KEYS.map((key) => [key, store.state[key]]));

export const addressOf = (id) => (id ? `/e/${encodeURIComponent(id)}` : "/");

export function idOfAddress() {
  const match = /^\/e\/([^/]+)$/.exec(location.pathname);
  return match ? decodeURIComponent(match[1]) : null;
}

function fieldsOf(source, ask) {
  const fields = [[source.field, source.value]];
  if (ask.model) fields.push(["model", ask.model]);
  for (const method of ask.methods ?? []) fields.push(["method", method]);
  if (ask.target) fields.push(["target", ask.target.index]);
  if (ask.against) fields.push(["against", ask.against.index]);
  if (ask.score !== "logit") fields.push(["score", ask.score]);
  if (ask.fit) fields.push(["fit", ask.fit]);
  if (ask.size) fields.push(["size", ask.size]);
  if (Object.keys(ask.options).length) fields.push(["options", JSON.stringify(ask.options)]);
  return fields;
}

/** A file from disk, clipboard or another window: shown at once from the browser's own decoding. */
export function explainFile(file) {
  const picture = { url: URL.createObjectURL(file), name: file.name || t("picture.pasted") };
  explainPicture({ field: "image", value: file }, picture);
}

export function explainSample(sample) {
  explainPicture({ field: "sample", value: sample.id }, { url: sample.url, name: sample.title, sample: sample.id });
}

function explainPicture(source, picture) {
  const ask = { ...store.state.ask, target: null, against: null };
  const before = snapshot();
  origin = source;
  store.set({ ...emptyView(), phase: "running", picture, ask, panels: expectedPanels(ask) });
  run(source, ask, before);
}

/** Asks something else of the picture that is shown: once the server has it, only its id is sent. */
export function explainAgain(change = {}) {
  const { id, ask } = store.state;
  const before = snapshot();
  const next = { ...ask, ...change };
  if (next.model !== ask.model) next.options = {}; // they name layers, and another model has others
  store.set({ phase: "running", ask: next, notice: null, seconds: null });
  run(id ? { field: "from", value: id } : origin, next, before);
}

export function addMethod(method) {
  explainAgain({ methods: [...store.state.panels.map((panel) => panel.method), method] });
}

export function cancel() {
  stream.abort();
  stopped("cancelled");
  announce(t("announce.cancelled"));
}

function stopped(phase) {
  for (const panel of store.state.panels) if (!isFinal(panel)) store.setPanel(panel.id, { status: "cancelled" });
  store.set({ phase });
}

/** Back to what was on the page; what was being computed or fetched then has been broken off since. */
function restore(before, signals) {
  store.set(before);
  if (before.phase === "running") stopped("cancelled");
  for (const panel of before.panels) if (panel.status === "done" && !panel.raw) fetchArray(panel.id, signals.view);
}

async function run(source, ask, before) {
  const signals = supersede();
  let accepted = false;
  try {
    for await (const { event, data } of api.explain(fieldsOf(source, ask), signals.stream)) {
      if (signals.stream.aborted) return;
      accepted ||= event === "accepted";
      if (event === "error") throw new api.Problem(data);
      receive[event]?.(data, signals, before);
    }
  } catch (error) {
    if (signals.stream.aborted) return;
    const retry = () => (accepted ? explainAgain() : again(source, ask, before));
    fail(problemOf(error), { accepted, retry, before, signals });
  }
}

function again(source, ask, before) {
  store.set({ phase: "running", notice: null });
  run(source, ask, before);
}

/** Computes one panel's map of another layer; the others answer the same question as before and stay. */
export function chooseLayer({ method }, layer) {
  const { [method]: before, ...options } = store.state.ask.options;
  explainAgain({ options: layer === "auto" ? options : { ...options, [method]: { ...before, layer } } });
}

/** Maps that are on the page already and answer the new request too. */
function answersOf(before, { picture, ask }) {
  const asked = ({ score, target, against, fit, size }) => [score, target?.index, against?.index, fit, size].join();
  if (before.picture !== picture || asked(before.ask) !== asked(ask)) return [];
  const options = (from, method) => JSON.stringify(from.options[method] ?? {});
  return before.panels.filter(({ method }) => options(before.ask, method) === options(ask, method));
}

const receive = {
  accepted({ id, panels }, signals, before) {
    const { ask } = store.state;
    // The stream names a target by its index; its label comes with the panel, or is the one asked for.
    const named = panels.map((panel) => ({ ...panel, target: panel.target === ask.target?.index ? ask.target : null }));
    store.set({ id, panels: acceptedPanels(named, answersOf(before, store.state)) });
    // The entry remembers what was asked: after a reload in the middle, the maps that are missing are known.
    history.pushState({ methods: panels.map(({ method }) => method) }, "", addressOf(id) + fragmentOf(store.state));
    if (before.picture && before.picture.url !== store.state.picture.url) URL.revokeObjectURL(before.picture.url);
  },

  prediction({ model, input, predictions }) {
    store.set({ inputs: new Map(store.state.inputs).set(model, { ...input, predictions }) });
    for (const panel of store.state.panels) {
      if (panel.model === model && !panel.target) store.setPanel(panel.id, { target: predictions[0] });
    }
    const [{ label, probability }] = predictions;
    announce(t("announce.prediction", { label, probability: format.probability(probability) }));
  },

  progress({ panel, done, total }) {
    store.setPanel(panel, { status: "running", done, total });
  },

  partial({ panel, done, total, map }, signals) {
    store.setPanel(panel, { status: "running", done, total });
    signals.order += 1;
    showEstimate(panel, map, signals.order, signals.view);
  },

  panel({ panel: record, map }, signals) {
    takeRecord(record, signals);
    signals.order += 1;
    if (map) showEstimate(record.id, map, signals.order, signals.view);
    const { panels } = store.state;
    const of = panels.length;
    const done = panels.filter(isFinal).length;
    if (done < of) announce(t("grid.progress", { done, of }));
  },

  done(record, signals) {
    for (const panel of record.panels) if (!isFinal(store.panel(panel.id) ?? {})) takeRecord(panel, signals);
    store.set({ phase: "done", seconds: record.seconds });
    measure(record);
    announce(t("announce.done", { of: record.panels.length }));
  },
};

function takeRecord(record, signals) {
  const { status, target, against, problem } = record;
  store.setPanel(record.id, { status, target, against, record, problem: problem ?? null });
  if (status === "done" && !store.panel(record.id)?.raw) fetchArray(record.id, signals.view);
}

/** The upright original's size: the crop is given in its pixels, whatever size the shown copy has. */
function measure({ image }) {
  store.set({ picture: { ...store.state.picture, width: image.width, height: image.height } });
}

const problemOf = (error) => (error instanceof api.Problem ? error : new api.Problem({ title: t("problem.lost"), detail: error.message }));

/** An error is told where it happened: at the maps, at the question, or at the picture. */
function fail(problem, { accepted, retry, before, signals }) {
  if (accepted) {
    stopped("cancelled");
    store.set({ notice: { place: "grid", problem, retry } });
    return;
  }
  const aboutAsk = problem.fields.some((field) => /target|against|score|model|method|options|fit|size/.test(field));
  const { picture } = store.state;
  const name = aboutAsk || picture === before.picture ? null : picture.name;
  const notice = { place: aboutAsk && before.id ? "ask" : "picture", problem, name, retry: null };
  if (problem.passing) {
    stopped("failed");
    store.set({ notice: { ...notice, retry } });
  } else {
    // Asking the same again would not help: what was there before comes back, nothing is lost.
    restore({ ...before, notice }, signals);
  }
}

/** Shows a recorded explanation again: a reload, a shared address, back and forward. */
export async function open(id) {
  const signals = supersede();
  const retry = () => open(id);
  store.set({ ...emptyView(), phase: "loading", id, picture: { url: api.pictureUrl(id), name: null }, panels: expectedPanels({}) });
  try {
    showRecord(await api.explanation(id, { signal: signals.view }), signals);
  } catch (error) {
    if (signals.view.aborted) return;
    const problem = error.status === 404 ? new api.Problem({ ...error, title: t("problem.gone"), detail: error.detail }) : error;
    store.set({ ...emptyView(), notice: { place: "picture", problem, retry: error.passing ? retry : null } });
  }
}

function showRecord(record, signals) {
  const panels = withMissing(record.panels.map(recordedPanel));
  const inputs = new Map(record.inputs.map((input) => [input.model, input]));
  // A model whose weights are missing has no input: it is not the one to ask on.
  const first = record.panels.find(({ model }) => inputs.has(model)) ?? record.panels[0];
  const top = inputs.get(first?.model)?.predictions[0];
  const ask = {
    model: first?.model ?? null,
    target: first?.target && first.target.index !== top?.index ? first.target : null,
    against: first?.against ?? null,
    score: record.score,
    methods: panels.length ? [...new Set(panels.map((panel) => panel.method))] : null,
    fit: null,
    size: null,
    options: layersOf(record.panels.filter(({ model }) => model === first.model)),
  };
  const whole = panels.length > 0 && panels.every(isFinal);
  store.set({ phase: whole ? "done" : "cancelled", id: record.id, inputs, panels, ask, seconds: record.seconds ?? null });
  if (record.image) measure(record);
  for (const panel of panels) if (panel.status === "done") fetchArray(panel.id, signals.view);
  const input = inputs.get(ask.model);
  if (input) store.watch(["models"], () => restoreInput(input), signals.view);
}

/** What was asked for of the input is what differs from the model's own way, once that is known. */
function restoreInput(input) {
  const own = modelOf(input.model);
  if (own) store.set({ ask: { ...store.state.ask, ...askedInput(input, own) } });
}

/** The layers that were asked for by name. */
function layersOf(records) {
  const named = records.filter(({ parameters }) => (parameters.layer ?? "auto") !== "auto");
  return Object.fromEntries(named.map(({ method, parameters: { layer } }) => [method, { layer }]));
}

/** The panels in the order asked for, with those that a broken off request left out. */
function withMissing(panels) {
  const asked = history.state?.methods ?? [];
  const missing = asked.filter((method) => panels.every((panel) => panel.method !== method));
  const all = [...panels, ...expectedPanels({ methods: missing }).map((panel) => ({ ...panel, status: "cancelled" }))];
  return missing.length ? all.sort((a, b) => asked.indexOf(a.method) - asked.indexOf(b.method)) : all;
}

export function clear() {
  supersede();
  store.set(emptyView());
}

export function followAddress() {
  const id = idOfAddress();
  // Another view of what is on the page already asks nothing of the server.
  if (!id) clear();
  else if (id !== store.state.id) open(id);
  if (id) restoreView();
}

/** Goes to an address of ours, as a click on a link would. */
export function visit(address) {
  history.pushState(null, "", address);
  followAddress();
}
