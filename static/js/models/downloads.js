// Weights that the server is to fetch: offered first, then followed. Several may run, each with its own line.

import * as api from "../api/client.js";
import { addModel, askModel } from "../controller/layout.js";
import { announce } from "../shared/announce.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { replaceModel, setDownloads, updateDownload } from "../state/actions.js";
import { askedModel, modelOf, modelTitle } from "../state/models.js";
import { store } from "../state/store.js";

/**
 * @import { ModelBody } from "../api/types.js"
 * @import { Download } from "../state/types.js"
 */

/** @type {Map<string, AbortController>} */
const controllers = new Map(); // model id -> AbortController of the download that runs

/** @param {string} model */
const entryOf = (model) => store.state.downloads.find((entry) => entry.model === model);

/**
 * Takes entries away that are not being downloaded: that of `model`, or all of them.
 * @param {string | null} model
 */
export function dismiss(model = null) {
  setDownloads(store.state.downloads.filter((entry) => entry.status === "running" || (model !== null && entry.model !== model)));
}

/**
 * Offers a download: what it would fetch or, where visitors cannot download, the command for the operator. Nothing is
 * fetched yet. `adding`: the model is for a new row, else for the current one.
 * @param {string} model
 * @param {{ adding?: boolean }} options
 */
export function offer(model, { adding = false } = {}) {
  const known = entryOf(model);
  dismiss();
  if (known?.status === "running") return;
  const status = store.state.models?.downloads === "none" ? "forbidden" : "offered";
  /** @type {Download} */
  const entry = { ...(known ?? { model, status, done: 0, total: modelOf(model)?.weights.bytes ?? null, problem: null }), adding };
  setDownloads([...store.state.downloads, entry]);
  announce(t(`weights.${status}.heard`, { title: modelTitle(model) }));
}

/**
 * Fetches, or goes on where an earlier try ended; then the picture is explained with the model.
 * @param {string} model
 */
export async function download(model) {
  const controller = new AbortController();
  controllers.set(model, controller);
  // Whoever has turned to another model meanwhile is not taken away from it.
  const asked = askedModel();
  updateDownload(model, { status: "running", problem: null });
  try {
    for await (const { event, data } of api.fetchWeights(model, controller.signal)) {
      if (event === "error") throw new api.Problem(data);
      if (event === "progress") updateDownload(model, { done: data.done, total: data.total ?? entryOf(model)?.total });
      if (event === "done") arrived(data, asked);
    }
  } catch (error) {
    if (controller.signal.aborted) return;
    updateDownload(model, { status: "failed", problem: api.problemOf(error) });
  } finally {
    if (controllers.get(model) === controller) controllers.delete(model);
  }
}

/** @param {string} model */
export function stop(model) {
  controllers.get(model)?.abort();
  updateDownload(model, { status: entryOf(model)?.done ? "stopped" : "offered" });
  announce(t("announce.cancelled"));
}

/**
 * @param {ModelBody} record
 * @param {string | null | undefined} asked
 */
function arrived(record, asked) {
  replaceModel(record);
  if (askedModel() === asked && store.state.phase !== "empty") use(record.id);
  else updateDownload(record.id, { status: "ready" });
  announce(t("weights.ready", { title: record.title }));
}

/** @param {string} model */
export function use(model) {
  const adding = entryOf(model)?.adding;
  setDownloads(store.state.downloads.filter((entry) => entry.model !== model));
  if (adding) addModel(model);
  else askModel(model);
}

/**
 * How much of the file is here, in words.
 * @param {Download} entry
 */
export function amountOf({ done, total }) {
  return total ? t("weights.of", { done: format.mebibytes(done), total: format.bytes(total) }) : format.bytes(done);
}
