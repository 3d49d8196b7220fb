// The REST contract as functions. Every failure leaves as a Problem that can be shown as it is.

import { refusalInWords } from "../shared/refusals.js";
import { t } from "../shared/texts.js";

/** @import { Refusal } from "../shared/refusals.js" */
/** @import { EstimateBody, Explanation, FieldError, FoundClass, GradientFlow, MethodBody, MetricBody, Models, SampleBody } from "./types.js" */

const BASE = "/api/v1";
/** Statuses after which the same request may succeed later; 0: no answer. */
const TRANSIENT = new Set([0, 408, 429, 502, 503, 504]);

export class Problem extends Error {
  /** @param {Refusal & { title: string, status?: number, errors?: FieldError[], retry_after?: number | null, retryAfter?: number | null }} body */
  constructor({ status = 0, errors = [], retry_after: wait = null, retryAfter = wait, ...body }) {
    const { title = body.title, detail, titleLanguage, detailLanguage } = refusalInWords(body);
    super(detail || title);
    this.title = title;
    this.detail = detail;
    // What the server says of itself is English, as far as the page has no words for it.
    this.titleLanguage = status ? titleLanguage : null;
    this.language = status ? detailLanguage : null;
    this.status = status; // 0: there was no answer
    this.errors = errors;
    this.retryAfter = retryAfter; // seconds
  }

  /** The same request may succeed later. */
  get transient() {
    return TRANSIENT.has(this.status);
  }

  /** The names of the fields that the server objects to. */
  get fields() {
    return this.errors.map((error) => error.field);
  }
}

/** @typedef {[string, any][]} Fields The fields of a form, in order. */

/** @param {Fields} fields */
function formOf(fields) {
  const body = new FormData();
  for (const [name, value] of fields) body.append(name, value);
  return body;
}

/**
 * The problem of a stream that ended early.
 * @param {string} detail - key of a text
 */
const connectionLost = (detail) => new Problem({ title: t("problem.lost"), detail: t(detail) });

/**
 * Any failure as a Problem.
 * @param {any} error
 */
export const problemOf = (error) => (error instanceof Problem ? error : new Problem({ title: t("problem.lost"), detail: error.message }));

/**
 * The problem of an answer that is not 2xx.
 * @param {Response} response
 */
async function problemOfResponse(response) {
  const { status, statusText } = response;
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  try {
    const body = await response.json();
    return new Problem({ retryAfter, ...body, title: body.title ?? statusText, status });
  } catch {
    return new Problem({ title: t("problem.answer", { status }), detail: statusText, status, retryAfter });
  }
}

/**
 * fetch; an abort stays an AbortError, and what else there is becomes a Problem.
 * @param {string} url
 * @param {RequestInit} options
 */
async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem({ title: t("problem.unreachable"), detail: t("problem.unreachable.detail") });
  }
}

/** @type {() => Promise<boolean>} */
let authorise = async () => false;

/**
 * Sets the function that asks the user for an API key when the server wants one; it resolves to whether there is a session now.
 * @param {() => Promise<boolean>} ask
 */
export function onUnauthorised(ask) {
  authorise = ask;
}

/**
 * Throws a Problem for every answer that is not 2xx. Where the server wants an API key, the user is asked for it first.
 * @param {string} url
 * @param {RequestInit} options
 */
export async function request(url, options = {}) {
  let response = await send(url, options);
  if (response.status === 401) {
    const problem = await problemOfResponse(response);
    if (!(await authorise())) throw problem;
    response = await send(url, options);
  }
  if (!response.ok) throw await problemOfResponse(response);
  return response;
}

/**
 * Signs in with an API key; the browser gets a cookie for the session. Resolves to the name of the key's owner.
 * @param {string} key
 */
export async function beginSession(key) {
  const response = await send(`${BASE}/session`, { method: "POST", body: new URLSearchParams({ key }) });
  if (!response.ok) throw await problemOfResponse(response);
  return (await response.json()).name;
}

/** @type {(path: string, options?: RequestInit) => Promise<any>} */
const get = async (path, options) => (await request(BASE + path, options)).json();

/** @type {() => Promise<Models>} */
export const models = () => get("/models");
/** @type {() => Promise<MethodBody[]>} */
export const methods = async () => (await get("/methods")).methods;
/** @type {() => Promise<MetricBody[]>} */
export const metrics = async () => (await get("/metrics")).metrics;
/** @type {() => Promise<SampleBody[]>} */
export const samples = async () => (await get("/samples")).samples;
/** @type {(id: string, options?: RequestInit) => Promise<Explanation>} */
export const explanation = (id, options) => get(`/explanations/${encodeURIComponent(id)}`, options);
/** @param {string} id */
export const pictureUrl = (id) => `${BASE}/explanations/${encodeURIComponent(id)}/image.png`;
/** @param {string} id */
export const archiveUrl = (id) => `${BASE}/explanations/${encodeURIComponent(id)}.zip`;

/**
 * Has the server delete an explanation, its picture included.
 * @param {string} id
 */
export const forget = (id) => request(`${BASE}/explanations/${encodeURIComponent(id)}`, { method: "DELETE" });

/**
 * @param {string} model
 * @param {string} query
 * @param {RequestInit} [options]
 * @returns {Promise<FoundClass[]>}
 */
export async function classes(model, query, options) {
  const search = new URLSearchParams({ query, limit: "20", ...inLanguage() });
  return (await get(`/models/${encodeURIComponent(model)}/classes?${search}`, options)).classes;
}

/**
 * Labels are English: in another language names are asked for too.
 * @returns {Record<string, string>}
 */
function inLanguage() {
  const [language] = document.documentElement.lang.split("-");
  return language === "en" ? {} : { language };
}

/** Whether there may be names beside the labels. */
export const hasClassNames = () => "language" in inLanguage();

/**
 * All classes of a model, of the first thousand, with their names in the page's language.
 * @param {string} model
 * @returns {Promise<FoundClass[]>}
 */
export const namedClasses = async (model) => (await get(`/models/${encodeURIComponent(model)}/classes?${new URLSearchParams({ limit: "1000", ...inLanguage() })}`)).classes;

/**
 * The bytes of a panel's raw array, with the scale that its float16 values are to be multiplied by.
 * @param {string} url
 * @param {RequestInit} [options]
 */
export async function rawArray(url, options) {
  const response = await request(`${url}?dtype=float16`, options);
  return { buffer: await response.arrayBuffer(), scale: Number(response.headers.get("X-Scale") ?? 1) };
}

/**
 * POST that answers with a stream; yields {event, data} with data parsed, and ends with `done` or `error`.
 * @param {string} path
 * @param {RequestInit} options
 * @param {string} detail
 * @returns {AsyncGenerator<{ event: string, data: any }>}
 */
async function* follow(path, options, detail) {
  const response = await request(BASE + path, { method: "POST", headers: { Accept: "text/event-stream" }, ...options });
  const { readEvents } = await import("./event-stream.js");
  let over = false;
  try {
    for await (const { event, data } of readEvents(/** @type {ReadableStream<Uint8Array>} */ (response.body))) {
      const parsed = JSON.parse(data);
      // After the last event the end is read too: a body that is left before that counts as a cancelled request.
      over = event === "done" || event === "error";
      yield { event, data: parsed };
    }
  } catch (error) {
    if (over) return;
    if (options.signal?.aborted || error instanceof Problem || error instanceof SyntaxError) throw error;
    throw connectionLost(detail);
  }
  if (!over) throw connectionLost(detail);
}

/**
 * What methods, and metrics of their maps, would cost on a model: [{method, gradient_evaluations, seconds, metrics}].
 * @param {Fields} fields
 * @param {RequestInit} [options]
 * @returns {Promise<EstimateBody[]>}
 */
export async function estimates(fields, options) {
  return (await get("/estimates", { method: "POST", body: formOf(fields), ...options })).estimates;
}

/**
 * Puts a map that was made elsewhere (.npy) beside those of an explanation; the record with it.
 * @type {(id: string, file: File, title: string) => Promise<Explanation>}
 */
export const addMap = (id, file, title) => get(`/explanations/${encodeURIComponent(id)}/maps`, { method: "POST", body: formOf([["map", file], ["title", title]]) });

/**
 * How large the gradient is at each layer.
 * @type {(fields: Fields, options?: RequestInit) => Promise<GradientFlow>}
 */
export const gradientFlow = (fields, options) => get("/gradient-flows", { method: "POST", body: formOf(fields), ...options });

/**
 * @param {Fields} fields
 * @param {AbortSignal} signal
 */
export function explain(fields, signal) {
  return follow("/explanations", { body: formOf(fields), signal }, "problem.lost.detail");
}

/**
 * Measures metrics of a panel that the server keeps; aborting ends it there too.
 * @param {string} id
 * @param {string} panel
 * @param {Fields} fields
 * @param {AbortSignal} signal
 */
export function measure(id, panel, fields, signal) {
  const path = `/explanations/${encodeURIComponent(id)}/panels/${encodeURIComponent(panel)}/metrics`;
  return follow(path, { body: formOf(fields), signal }, "problem.lost.measuring");
}

/**
 * Has the server download a model's weights; aborting ends it there too.
 * @param {string} model
 * @param {AbortSignal} signal
 */
export const fetchWeights = (model, signal) => follow(`/models/${encodeURIComponent(model)}/weights`, { signal }, "problem.lost.weights");

/**
 * Runs an experiment of the lab; aborting ends it there too.
 * @param {string} id
 * @param {{ parameters: Record<string, any>, seed: number }} asked
 * @param {AbortSignal} signal
 */
export function experiment(id, asked, signal) {
  const headers = { Accept: "text/event-stream", "Content-Type": "application/json" };
  return follow(`/experiments/${encodeURIComponent(id)}`, { headers, body: JSON.stringify(asked), signal }, "lab.page.lost");
}

/**
 * What the file of a run says, in the shape of an experiment's result.
 * @param {Blob} file
 * @param {AbortSignal} signal
 */
export async function readRun(file, signal) {
  return (await request(`${BASE}/runs`, { method: "POST", body: formOf([["run", file]]), signal })).json();
}
