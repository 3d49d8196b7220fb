// Computes a method's map on its page, in place of the shipped map; partial maps appear while it runs.

import * as api from "../api/client.js";
import { decodeMap, decodeNpy } from "../arrays/worker-client.js";
import { draw } from "../rendering/draw.js";
import { DEFAULT } from "../rendering/settings.js";
import { el } from "../shared/dom.js";
import { duration, number } from "../shared/format.js";
import { progressLine, setProgress } from "../shared/progress-line.js";
import { pieces, t } from "../shared/texts.js";
import { palettes } from "./assets.js";

/**
 * @import { Fields } from "../api/client.js"
 * @import { PanelBody } from "../api/types.js"
 * @import { RawArray, Settings } from "../rendering/types.js"
 */

// The same rendering as for the shipped maps, whatever the user has set on the main page.
/** @type {Settings} */
const RENDERING = { ...DEFAULT, reduction: "abs", palettes: { ...DEFAULT.palettes, unsigned: "inferno" }, percentile: 99 };

/**
 * Text from the server, which is always English.
 * @param {string} text
 */
const english = (text) => el("span", { lang: "en" }, text);

/** One method's live map: its button, and what it shows. `id` is the explanation's; `drawn`: this run has drawn a map. */
export class Run {
  /** @type {{ done: number, total: number } | null} */ progress;
  /** @type {boolean} */ drawn;
  /** @type {string} */ id;

  /** @type {AbortController | null} */
  #stream = null;
  #order = 0; // number of the newest map; an older one that is decoded later is dropped

  /** @param {HTMLElement} root */
  constructor(root) {
    /** @type {(name: string) => any} */
    const part = (name) => root.querySelector(name);
    this.method = root.dataset.run;
    this.title = root.dataset.title;
    this.map = part(".run-map");
    this.shipped = part(".run-map img");
    this.canvas = part("canvas");
    this.scaleHigh = part("[data-high]");
    this.scale = part(".scale img");
    this.facts = part("[data-run-facts]");
    this.button = part("[data-compute]");
    this.sample = part("[data-sample]");
    this.link = part("[data-open]");
    this.line = progressLine();
    this.map.append(this.line);
  }

  /** Starts a run, or cancels the one that is running. */
  toggle() {
    if (this.#stream) this.#stream.abort();
    else this.compute();
  }

  async compute() {
    const stream = new AbortController();
    this.#stream = stream;
    this.progress = null;
    this.drawn = false;
    this.button.textContent = t("learn.live.cancel");
    this.sample.disabled = true;
    this.link.replaceChildren();
    this.showFacts(t("learn.live.starting"));
    try {
      await this.follow(stream.signal);
    } catch (error) {
      if (stream.signal.aborted) this.showCancelled();
      else this.showError(error);
    } finally {
      this.#stream = null;
      this.line.hidden = true;
      this.sample.disabled = false;
    }
  }

  /**
   * Requests the map and handles the events of the stream.
   * @param {AbortSignal} signal
   */
  async follow(signal) {
    /** @type {Fields} */
    const fields = [["sample", this.sample.value], ["method", this.method]];
    for await (const { event, data } of api.explain(fields, signal)) {
      if (event === "error") throw new api.Problem(data);
      if (event === "accepted") this.id = data.id;
      if (event === "progress" || event === "partial") this.showProgress(data);
      if (event === "partial") this.showPartialMap(data.map, signal);
      if (event === "panel") await this.showFinished(data.panel, signal);
    }
  }

  /** @param {{ done: number, total: number }} progress */
  showProgress({ done, total }) {
    this.progress = { done, total };
    const text = t("learn.live.running", this.progress);
    this.line.hidden = false;
    setProgress(this.line, this.progress, text);
    // Hidden from screen readers: they read the value from the progress bar when they want it.
    this.facts.replaceChildren(el("span", { "aria-hidden": "true" }, text));
  }

  /**
   * Shows a partial map, unless a newer one is here.
   * @param {object} map
   * @param {AbortSignal} signal
   */
  async showPartialMap(map, signal) {
    this.#order += 1;
    const order = this.#order;
    const partial = await decodeMap(map);
    if (!signal.aborted && order === this.#order) await this.drawMap({ partial });
  }

  /**
   * Shows the finished map, what it cost, and a link to the explanation.
   * @param {PanelBody} panel
   * @param {AbortSignal} signal
   */
  async showFinished(panel, signal) {
    this.#order += 1; // drops a partial map that is still being decoded
    if (panel.problem) throw new api.Problem(panel.problem);
    const { buffer, scale } = await api.rawArray(panel.urls.npy ?? "", { signal });
    await this.drawMap({ raw: await decodeNpy(buffer, scale) });
    const label = panel.target?.label ?? "";
    this.canvas.setAttribute("aria-label", t("learn.live.alt", { method: this.title, label }));
    const { gradient_evaluations: count, completeness } = panel.diagnostics;
    const seconds = duration(panel.seconds);
    const sample = this.sample.selectedOptions[0].textContent;
    const facts = pieces(count === 1 ? "learn.live.done.one" : "learn.live.done", { sample, label: english(label), count, seconds });
    const error = completeness?.relative_error;
    if (error !== undefined && error !== null) facts.push(" ", t("learn.live.complete", { error: number(100 * Math.abs(error), 2) }));
    this.showFacts(...facts);
    this.button.textContent = t("learn.live.compute");
    this.link.replaceChildren(el("a", { href: `/e/${encodeURIComponent(this.id)}` }, t("learn.live.open")));
  }

  /** @param {{ raw?: RawArray, partial?: RawArray }} arrays */
  async drawMap(arrays) {
    const scale = draw(this.canvas, arrays, { rendering: RENDERING, palettes: await palettes() });
    if (!scale) return;
    this.shipped.hidden = true;
    this.canvas.hidden = false;
    this.drawn = true;
    const high = (scale.clipsHigh ? "≥ " : "") + number(scale.high);
    this.scaleHigh.textContent = high;
    this.scale.alt = t("learn.live.scale", { high: number(scale.high) });
  }

  /** @param {...(Node | string)} nodes */
  showFacts(...nodes) {
    this.facts.classList.remove("is-problem");
    this.facts.replaceChildren(...nodes);
  }

  showCancelled() {
    this.button.textContent = t("learn.live.compute");
    this.showFacts(this.progress && this.drawn ? t("learn.live.cancelled", this.progress) : t("learn.live.cancelled.early"));
  }

  /**
   * Shows what went wrong and what to do, in place of the facts. The server's own text is English.
   * @param {any} error
   */
  showError(error) {
    const { status, detail, retryAfter } = error;
    const own = status === 0 ? t(this.progress ? "learn.live.lost" : "learn.live.unreachable") : null;
    this.button.textContent = t("learn.live.again");
    this.showFacts(el("strong", {}, t("learn.live.failed")), " ", own ?? english(detail || error.message));
    if (retryAfter) this.facts.append(" ", t("learn.live.wait", { seconds: duration(retryAfter) }));
    this.facts.classList.add("is-problem");
  }
}
