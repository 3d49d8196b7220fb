// The page of a recorded run: a file that is chosen, dropped or a sample is read by the server, and drawn here.

import { Problem, problemOf, readRun, request } from "../api/client.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { Results } from "./results.js";

/** @import { Result } from "./types.js" */

const FACTS = ["model", "optimizer", "every", "created", "torch"];
const MEGA = 2 ** 20;

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / MEGA).toFixed(1)} MiB`;

/**
 * A fact of a run for people: the time it began as it is where they are.
 * @param {string} key
 * @param {any} value
 */
const factText = (key, value) => (key === "created" && !Number.isNaN(Date.parse(value))
  ? new Date(value).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }) : String(value));

export class RunPage {
  /** @type {AbortController | null} */ #reading = null;

  constructor() {
    /** @type {(selector: string) => any} */
    const part = (selector) => document.querySelector(selector);
    this.place = part(".results");
    this.facts = part("[data-facts]");
    this.input = part("[data-file]");
    this.samples = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-sample]")]);
    this.results = new Results("run", () => {});
    part("[data-choose]").addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => this.choose(this.input.files));
    for (const button of this.samples) button.addEventListener("click", () => this.openSample(button, true));
    this.listenForDrops();
    addEventListener("popstate", () => this.openAddress());
    this.openAddress();
  }

  listenForDrops() {
    /** @param {boolean} on */
    const dragging = (on) => document.documentElement.classList.toggle("dragging", on);
    addEventListener("dragover", (event) => {
      event.preventDefault();
      dragging(event.dataTransfer?.types.includes("Files") ?? false);
    });
    addEventListener("dragleave", (event) => event.relatedTarget === null && dragging(false));
    addEventListener("drop", (event) => {
      event.preventDefault();
      dragging(false);
      this.choose(event.dataTransfer?.files ?? []);
    });
  }

  /** A sample may stand in the address; a file of the visitor's own cannot. */
  openAddress() {
    const name = new URLSearchParams(location.search).get("run");
    const button = this.samples.find(({ dataset }) => dataset.sample === name);
    if (button && button.getAttribute("aria-pressed") !== "true") this.openSample(button, false);
  }

  /** @param {FileList | File[]} files */
  choose(files) {
    const [file] = files;
    if (!file) return this.tell(new Problem({ title: t("lab.run.page.none.title"), detail: t("lab.run.page.none") }), () => this.input.click());
    this.press(null);
    this.remember(null);
    const most = Number(this.input.dataset.most);
    if (file.size > most) {
      const detail = t("lab.run.page.large", { size: megabytes(file.size), most: megabytes(most) });
      return this.tell(new Problem({ title: t("lab.run.page.large.title"), detail }), () => this.input.click());
    }
    return this.read(async () => file, file.name);
  }

  /**
   * @param {HTMLElement} button
   * @param {boolean} remembered
   */
  openSample(button, remembered) {
    const { sample = "", address = "" } = button.dataset;
    this.press(button);
    if (remembered) this.remember(sample);
    return this.read(async (signal) => (await request(address, { signal })).blob(), `${sample}.jsonl`);
  }

  /** @param {HTMLElement | null} pressed */
  press(pressed) {
    for (const button of this.samples) button.setAttribute("aria-pressed", String(button === pressed));
  }

  /** @param {string | null} sample */
  remember(sample) {
    const query = new URLSearchParams(location.search);
    if (sample) query.set("run", sample);
    else query.delete("run");
    const text = query.toString();
    if (`?${text}` !== location.search) history.pushState(null, "", `${location.pathname}${text ? `?${text}` : ""}`);
  }

  /**
   * @param {(signal: AbortSignal) => Promise<Blob>} bring
   * @param {string} name
   */
  async read(bring, name) {
    this.#reading?.abort();
    const own = new AbortController();
    this.#reading = own;
    this.place.hidden = false;
    this.results.started();
    try {
      const result = await readRun(await bring(own.signal), own.signal);
      if (own === this.#reading) this.done(result, name);
    } catch (error) {
      if (own.signal.aborted) return;
      this.tell(problemOf(error), () => this.read(bring, name));
    } finally {
      this.input.value = ""; // the same file may be chosen again, when it has grown
    }
  }

  /**
   * @param {Result} result
   * @param {string} name
   */
  done(result, name) {
    /** @type {Record<string, any>} */ const facts = { ...result.parameters, name };
    this.facts.replaceChildren(...["name", ...FACTS].filter((key) => facts[key]).map((key) => el("div", {},
      el("dt", {}, t(`lab.run.page.fact.${key}`)), el("dd", {}, factText(key, facts[key])))));
    this.facts.hidden = false;
    this.results.done(result, true);
  }

  /**
   * @param {Problem} problem
   * @param {() => void} retry
   */
  tell(problem, retry) {
    this.place.hidden = false;
    this.results.failed();
    this.results.tell(problem, retry);
  }
}
