// Asks the question of the pictures of the strip that nobody has looked at yet, one after another, while nothing else
// is computed. What the visitor asks comes first: a picture that is being computed then waits its turn again.

import { Problem, problemOf } from "../api/client.js";
import { explainAside, updateHistoryEntry } from "../controller/controller.js";
import { pausePictures, setPictureJob, setPictures } from "../state/actions.js";
import { store } from "../state/store.js";
import { questionKey } from "./pictures.js";

/**
 * @import { Explanation } from "../api/types.js"
 * @import { Phase, PictureEntry, PictureJob } from "../state/types.js"
 */

/** @type {{ key: string, question: string, controller: AbortController } | null} */
let running = null;
let scheduled = false;

/** @type {Partial<Record<Phase, PictureJob["status"]>>} */
const STATUSES = { done: "done", cancelled: "stopped", failed: "failed" };

/**
 * How far a picture is: waiting, computing, done, failed, stopped; or `other`, done with another question.
 * @param {PictureEntry} entry
 * @returns {PictureJob["status"] | "other"}
 */
export function statusOf({ key, id }) {
  const { picture, phase, pictureJobs } = store.state;
  if (key === picture?.key) return STATUSES[phase] ?? "computing";
  const job = pictureJobs[key];
  if (!job) return id ? "done" : "waiting";
  return job.status === "done" && job.question !== null && job.question !== questionKey(store.state) ? "other" : job.status;
}

const waiting = () => store.state.pictures.filter((entry) => statusOf(entry) === "waiting");

/** Computes those too that were asked another question, or failed. */
export function askAll() {
  for (const entry of store.state.pictures) if (["other", "failed", "stopped"].includes(statusOf(entry)) && entry.key !== store.state.picture?.key) setPictureJob(entry.key, { status: "waiting", record: null, problem: null });
  pause(false);
}

/** @param {boolean} yes */
export function pause(yes) {
  pausePictures(yes);
  updateHistoryEntry();
}

function step() {
  scheduled = false;
  const { phase, paused, pictures } = store.state;
  const may = phase === "done" && !paused;
  if (running) {
    const { key, question, controller } = running;
    const wanted = may && question === questionKey(store.state) && key !== store.state.picture?.key && pictures.some((entry) => entry.key === key);
    if (wanted) return;
    running = null;
    controller.abort();
    if (pictures.some((entry) => entry.key === key)) setPictureJob(key, { status: "waiting" });
  }
  const [next] = may ? waiting() : [];
  if (next) compute(next);
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(step);
}

/** @param {PictureEntry} entry */
async function compute(entry) {
  const controller = new AbortController();
  const { signal } = controller;
  const { key } = entry;
  running = { key, question: questionKey(store.state), controller };
  const { question } = running;
  setPictureJob(key, { status: "computing", problem: null });
  try {
    for await (const { event, data } of explainAside(entry, signal)) {
      if (signal.aborted) return;
      if (event === "error") throw new Problem(data);
      if (event === "done") {
        // It is no longer to be stopped: only the end of the answer is still to come.
        if (running?.controller === controller) running = null;
        finish(key, question, data);
      }
    }
  } catch (error) {
    if (!signal.aborted) fail(entry, problemOf(error));
  } finally {
    if (running?.controller === controller) running = null;
    schedule();
  }
}

/**
 * @param {string} key
 * @param {string} question
 * @param {Explanation} record
 */
function finish(key, question, record) {
  setPictureJob(key, { status: "done", question, record });
  setPictures(store.state.pictures.map((each) => (each.key === key ? { ...each, id: record.id } : each)));
  updateHistoryEntry();
}

/**
 * A server that does not answer is not asked for the next one either.
 * @param {PictureEntry} entry
 * @param {Problem} problem
 */
function fail({ key, id, source }, problem) {
  if (problem.transient) {
    setPictureJob(key, { status: "waiting" });
    pausePictures(true);
  } else if (problem.status === 404 && id && source) {
    setPictures(store.state.pictures.map((each) => (each.key === key ? { ...each, id: null } : each)));
    setPictureJob(key, { status: "waiting" });
  } else setPictureJob(key, { status: "failed", problem: problem.detail ?? problem.title ?? problem.message });
}

/** What is known of the picture that is shown, for when it is not shown any more. */
function followShown() {
  const { picture, phase, pictureJobs } = store.state;
  if (!picture) return;
  const status = STATUSES[phase] ?? "waiting";
  const question = phase === "done" ? questionKey(store.state) : null;
  const job = pictureJobs[picture.key];
  if (job?.status !== status || job.question !== question) setPictureJob(picture.key, { status, question, problem: null });
}

export function computePictures() {
  store.watch(["phase", "picture", "ask", "layout"], followShown);
  store.watch(["phase", "picture", "pictures", "pictureJobs", "paused", "ask", "layout"], schedule);
}
