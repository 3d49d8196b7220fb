// What came of a run, on the page: figures, findings, numbers, and the result as a file.

import { announce } from "../shared/announce.js";
import { el } from "../shared/dom.js";
import { duration } from "../shared/format.js";
import { progressLine, setProgress } from "../shared/progress-line.js";
import { t } from "../shared/texts.js";
import { saveBlob } from "../export/save-file.js";
import { FigureView } from "./figure.js";
import { showFindings, showNumbers } from "./findings.js";
import { figureTitle } from "./words.js";

/**
 * @import { Problem } from "../api/client.js"
 * @import { Change } from "./figure.js"
 * @import { FigureBody, FindingBody, Result } from "./types.js"
 */

const WIDE = ["contour", "graph", "grids"]; // kinds that take a row, as css/lab.css has them
const TALL = 12; // rows
const OLD_MS = 180; // after which figures of earlier settings are dimmed

/**
 * How long a run took: milliseconds where it took no second.
 * @param {number} seconds
 */
const soon = (seconds) => (seconds < 1 ? `${Math.max(1, Math.round(1000 * seconds))} ms` : duration(seconds));

/**
 * Whether another figure beside it would leave a hole: it has many rows with names, or a single one that is edited.
 * @param {FigureBody} body
 */
function hasOwnRow({ kind, data }) {
  if (kind === "matrix") return data.parameter !== null && data.values.length === 1;
  return (kind === "heatmap" ? data.names?.length ?? 0 : kind === "table" ? data.rows.length : 0) > TALL;
}

export class Results {
  /** @type {Result | null} */ result = null;
  /** @type {Map<string, FigureView>} */ #figures = new Map();
  #dimming = 0;

  /**
   * @param {string} id - of the experiment
   * @param {Change} change - sets a parameter by its figure
   */
  constructor(id, change) {
    this.id = id;
    /** @type {Change} */ this.change = change;
    /** @type {(selector: string) => any} */
    const part = (selector) => document.querySelector(selector);
    this.results = part(".results");
    this.line = progressLine();
    part("[data-progress]").append(this.line);
    this.took = part("[data-took]");
    this.brief = part("[data-brief]");
    this.problem = part("[data-problem]");
    this.findings = part("[data-findings]");
    this.numbers = part("[data-numbers]");
    this.saveButton = part("[data-save-result]");
    this.saveButton.addEventListener("click", () => this.save());
    for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-figure]"))) this.figure(place.dataset.figure ?? "", place);
  }

  started() {
    this.results.setAttribute("aria-busy", "true");
    for (const { place } of this.#figures.values()) place.classList.remove("is-new");
    clearTimeout(this.#dimming);
    this.#dimming = setTimeout(() => {
      this.results.classList.add("is-old");
      if (this.line.hidden) this.progress({ done: 0, total: 0 });
    }, OLD_MS);
  }

  /** @param {{ done: number, total: number }} progress */
  progress({ done, total }) {
    if (!this.results.classList.contains("is-old")) return; // it is as good as done
    const text = total ? t("lab.page.running", { done, total }) : t("lab.page.starting");
    this.line.hidden = false;
    setProgress(this.line, { done, total: total || null }, text);
    this.took.textContent = text;
  }

  /** @param {Partial<Result>} partial */
  partial({ figures = [], findings = [] }) {
    this.showFigures(figures);
    if (findings.length) this.tellFindings(findings);
  }

  /** @param {FindingBody[]} findings */
  tellFindings(findings) {
    showFindings(this.findings, findings);
    const verdicts = /** @type {const} */ (["holds", "fails", "depends"]);
    const parts = verdicts.map((verdict) => ({ verdict, count: findings.filter((each) => each.verdict === verdict).length })).filter(({ count }) => count);
    this.brief.textContent = parts.map(({ verdict, count }) => t(`lab.page.brief.${verdict}`, { count })).join(" · ");
    this.brief.hidden = !parts.length;
  }

  /**
   * @param {Result} result
   * @param {boolean} aloud - whether its end is said aloud
   */
  done(result, aloud) {
    this.ended();
    this.result = result;
    this.showFigures(result.figures);
    const here = new Set(result.figures.map(({ id }) => id));
    for (const [id, figure] of this.#figures) if (!here.has(id)) figure.hide();
    this.arrange();
    this.tellFindings(result.findings);
    showNumbers(this.numbers, result.numbers);
    this.saveButton.disabled = false;
    this.took.textContent = t("lab.page.took", { seconds: soon(result.seconds) });
    if (aloud) announce(result.findings.length === 1 ? t("lab.page.done.one") : t("lab.page.done", { count: result.findings.length }));
  }

  ended() {
    clearTimeout(this.#dimming);
    this.results.classList.remove("is-old");
    this.results.setAttribute("aria-busy", "false");
    this.line.hidden = true;
    this.problem.hidden = true;
    this.took.textContent = "";
  }

  /** The last of an odd number of figures that share rows has one to itself. */
  arrange() {
    for (const { place, body } of this.#figures.values()) place.classList.toggle("own-row", body !== null && hasOwnRow(body));
    const shown = [...document.querySelectorAll(".lab-figure:not([hidden], .own-row)")].filter((place) => !WIDE.includes(/** @type {HTMLElement} */ (place).dataset.kind ?? ""));
    shown.forEach((place, index) => place.classList.toggle("alone", index === shown.length - 1 && index % 2 === 0));
  }

  /** @param {FigureBody[]} bodies */
  showFigures(bodies) {
    for (const body of bodies) (this.#figures.get(body.id) ?? this.figure(body.id, this.placeFor(body))).show(body);
  }

  /**
   * @param {string} id
   * @param {HTMLElement} place
   */
  figure(id, place) {
    /** @type {FigureView} */ const view = new FigureView(place, this.change);
    this.#figures.set(id, view);
    return view;
  }

  /**
   * A place for a figure that the page did not come with.
   * @param {FigureBody} body
   */
  placeFor({ id, title }) {
    const place = el("figure", { class: "lab-figure", "data-figure": id, "aria-labelledby": `figure-${id}` },
      el("h3", { id: `figure-${id}` }, figureTitle(id, title)), el("div", { class: "figure-body" }));
    document.querySelector(".figures")?.append(place);
    return place;
  }

  /** Figures of earlier settings stay, dimmed. */
  failed() {
    this.ended();
    this.results.classList.add("is-old");
  }

  /**
   * What went wrong, above the figures, with a button to try again.
   * @param {Problem} problem
   * @param {() => void} retry
   */
  tell({ title, detail, titleLanguage, language, retryAfter }, retry) {
    this.problem.replaceChildren(el("div", { class: "notice", role: "alert" },
      el("strong", { lang: titleLanguage }, title), detail && detail !== title ? el("p", { lang: language }, detail) : null,
      retryAfter ? el("p", {}, t("lab.page.wait", { seconds: duration(retryAfter) })) : null,
      el("button", { type: "button", class: "button", onclick: retry }, t("lab.page.retry"))));
    this.problem.hidden = false;
  }

  save() {
    const text = JSON.stringify(this.result, null, 1);
    saveBlob(new Blob([text], { type: "application/json" }), `${this.id}.json`);
  }
}
