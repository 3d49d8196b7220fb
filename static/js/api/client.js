// The REST contract as functions. Every failure leaves as a Problem that can be shown as it is.

import { t } from "../shared/texts.js";
import { readEvents } from "./event-stream.js";

const BASE = "/api/v1";
const PASSING = new Set([0, 408, 429, 502, 503, 504]);

export class Problem extends Error {
  constructor({ title, detail, status = 0, errors = [], retry_after: wait = null, retryAfter = wait }) {
    super(detail || title);
    Object.assign(this, { title, detail, status, errors, retryAfter });
  }

  /** What the server says of itself is English. */
  get language() {
    return this.status ? "en" : null;
  }

  /** The same request may succeed later. */
  get passing() {
    return PASSING.has(this.status);
  }

  /** The names of the fields that the server objects to. */
  get fields() {
    return this.errors.map((error) => String(error.field ?? error.name ?? error.pointer ?? ""));
  }
}

function formOf(fields) {
  const body = new FormData();
  for (const [name, value] of fields) body.append(name, value);
  return body;
}

const lost = (detail) => new Problem({ title: t("problem.lost"), detail: t(detail) });

async function problemOf(response) {
  const { status, statusText } = response;
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  try {
    const body = await response.json();
    return new Problem({ retryAfter, ...body, title: body.title ?? statusText, status });
  } catch {
    return new Problem({ title: t("problem.answer", { status }), detail: statusText, status, retryAfter });
  }
}

/** fetch; an abort stays an AbortError, and what else there is becomes a Problem. */
async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem({ title: t("problem.unreachable"), detail: t("problem.unreachable.detail") });
  }
}

let authorise = async () => false;

/** Sets what asks whoever is there for an API key, where the server wants one; it resolves to whether there is a session now. */
export function onUnauthorised(ask) {
  authorise = ask;
}

/** Throws a Problem for every answer that is not 2xx. Where an API key is asked for, whoever is there is asked first. */
export async function request(url, options = {}) {
  let response = await send(url, options);
  if (response.status === 401) {
    const refusal = await problemOf(response);
    if (!(await authorise())) throw refusal;
    response = await send(url, options);
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Shows an API key, for which the browser has a cookie from then on. Resolves to whose it is. */
export async function beginSession(key) {
  const response = await send(`${BASE}/session`, { method: "POST", body: new URLSearchParams({ key }) });
  if (!response.ok) throw await problemOf(response);
  return (await response.json()).name;
}

const get = async (path, options) => (await request(BASE + path, options)).json();

export const models = () => get("/models");
export const methods = async () => (await get("/methods")).methods;
export const metrics = async () => (await get("/metrics")).metrics;
export const samples = async () => (await get("/samples")).samples;
export const explanation = (id, options) => get(`/explanations/${encodeURIComponent(id)}`, options);
export const pictureUrl = (id) => `${BASE}/explanations/${encodeURIComponent(id)}/image.png`;
export const sheetUrl = (id) => `${BASE}/explanations/${encodeURIComponent(id)}.png`;
export const archiveUrl = (id) => `${BASE}/explanations/${encodeURIComponent(id)}.zip`;

/** Has the server delete an explanation, its picture included. */
export const forget = (id) => request(`${BASE}/explanations/${encodeURIComponent(id)}`, { method: "DELETE" });

export async function classes(model, query, options) {
  const search = new URLSearchParams({ query, limit: 20 });
  return (await get(`/models/${encodeURIComponent(model)}/classes?${search}`, options)).classes;
}

/** The bytes of a panel's raw array, with the scale that its float16 values are to be multiplied by. */
export async function rawArray(url, options) {
  const response = await request(`${url}?dtype=float16`, options);
  return { buffer: await response.arrayBuffer(), scale: Number(response.headers.get("X-Scale") ?? 1) };
}

/** POST that answers with a stream; yields {event, data} with data parsed, and ends with `done` or `error`. */
async function* follow(path, options, detail) {
  const response = await request(BASE + path, { method: "POST", headers: { Accept: "text/event-stream" }, ...options });
  let over = false;
  try {
    for await (const { event, data } of readEvents(response.body)) {
      over = event === "done" || event === "error";
      yield { event, data: JSON.parse(data) };
      if (over) return;
    }
  } catch (error) {
    if (options.signal.aborted || error instanceof Problem || error instanceof SyntaxError) throw error;
    throw lost(detail);
  }
  if (!over) throw lost(detail);
}

/** What methods, and metrics of their maps, would cost on a model: [{method, gradient_evaluations, seconds, metrics}]. */
export async function estimates(fields, options) {
  return (await get("/estimates", { method: "POST", body: formOf(fields), ...options })).estimates;
}

/** How large the gradient is at each layer. */
export const gradientFlow = (fields, options) => get("/gradient-flows", { method: "POST", body: formOf(fields), ...options });

export function explain(fields, signal) {
  return follow("/explanations", { body: formOf(fields), signal }, "problem.lost.detail");
}

/** Measures metrics of a panel that the server keeps; aborting ends it there too. */
export function measure(id, panel, fields, signal) {
  const path = `/explanations/${encodeURIComponent(id)}/panels/${encodeURIComponent(panel)}/metrics`;
  return follow(path, { body: formOf(fields), signal }, "problem.lost.measuring");
}

/** Has the server download a model's weights; aborting ends it there too. */
export const fetchWeights = (model, signal) => follow(`/models/${encodeURIComponent(model)}/weights`, { signal }, "problem.lost.weights");
