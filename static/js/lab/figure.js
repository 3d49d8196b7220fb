// One figure: drawn by its kind, read by pointer and keyboard, saved as files.

import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { drawBars, drawHistogram } from "./bars.js";
import { readyColours } from "./colours.js";
import { drawContour } from "./contour.js";
import { drawGraph } from "./graph.js";
import { Grids } from "./grids.js";
import { drawHeatmap } from "./heatmap.js";
import { drawLines } from "./lines.js";
import { Matrix } from "./matrix.js";
import { Readings } from "./readings.js";
import { saveFigure } from "./save.js";
import { StartPoint } from "./start-point.js";
import { tableOf } from "./table.js";
import { figureTitle } from "./words.js";

/**
 * @import { Drawing } from "./drawing.js"
 * @import { FigureBody } from "./types.js"
 */

/** @type {Record<string, (data: any, width: number) => Drawing>} */
const KINDS = { lines: drawLines, bars: drawBars, histogram: drawHistogram, heatmap: drawHeatmap, contour: drawContour, graph: drawGraph };
const NARROWEST = 120; // pixels; a place that is being laid out may have none yet
const COLOURED = ["heatmap", "contour"];

/** @typedef {(parameter: string, value: any, done: boolean) => void} Change */

export class FigureView {
  /** @type {FigureBody | null} */ body = null;
  /** @type {Matrix | null} */ #matrix = null;
  /** @type {Grids | null} */ #grids = null;

  /**
   * @param {HTMLElement} place
   * @param {Change} change - sets a parameter
   */
  constructor(place, change) {
    this.place = place;
    this.change = change;
    this.plot = el("div", { class: "plot chart" });
    this.readings = new Readings(this.plot);
    this.start = new StartPoint(this.plot, change);
    this.files = el("p", { class: "files" });
    place.querySelector(".figure-body")?.replaceChildren(this.plot, ...this.readings.nodes, this.start.node, this.files);
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  /** @param {FigureBody} body */
  show(body) {
    const first = this.body?.kind !== body.kind;
    this.body = body;
    this.place.hidden = false;
    this.place.removeAttribute("data-empty");
    this.place.classList.add("is-new");
    this.place.dataset.kind = body.kind;
    if (first) this.offerFiles();
    if (first && body.kind === "grids") this.plot.before(...this.readings.nodes); // what goes through them stands above
    if (COLOURED.includes(body.kind)) readyColours().then(() => this.draw());
    else this.draw();
  }

  hide() {
    this.body = null;
    this.place.hidden = true;
  }

  get title() {
    return this.body ? figureTitle(this.body.id, this.body.title) : "";
  }

  draw() {
    const width = this.plot.clientWidth;
    if (!this.body || width < NARROWEST) return;
    const { kind, data } = this.body;
    if (kind === "matrix") this.drawMatrix(data);
    else if (kind === "grids") this.drawGrids(data);
    else if (kind === "table") this.plot.replaceChildren(tableOf(data));
    else if (KINDS[kind]) this.drawSvg(KINDS[kind](data, width), data);
    this.offerScrolling();
  }

  /** What is wider than its place can be scrolled by keyboard too. */
  offerScrolling() {
    const wide = this.plot.scrollWidth > this.plot.clientWidth;
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-labelledby", `figure-${this.place.dataset.figure}`]]) {
      if (wide) this.plot.setAttribute(name, value);
      else this.plot.removeAttribute(name);
    }
  }

  /** @param {any} data */
  drawMatrix(data) {
    this.#matrix ??= new Matrix(this.change);
    if (this.#matrix.root.parentElement !== this.plot) this.plot.replaceChildren(this.#matrix.root);
    this.#matrix.show(data);
  }

  /** @param {any} data */
  drawGrids(data) {
    this.#grids ??= new Grids(this.change, { title: () => this.title, again: () => this.readings.mark(), go: (step) => this.readings.slide(0, step) });
    if (this.#grids.root.parentElement !== this.plot) this.plot.replaceChildren(this.#grids.root);
    this.readings.show(this.#grids.show(data));
  }

  /**
   * @param {Drawing} drawing
   * @param {any} data
   */
  drawSvg(drawing, data) {
    const before = this.plot.querySelector("svg");
    if (before) before.replaceWith(drawing.root);
    else this.plot.prepend(drawing.root);
    this.readings.show(drawing.readings);
    if ("placeAt" in drawing) this.start.show(data, /** @type {any} */ (drawing).placeAt);
  }

  offerFiles() {
    const kinds = /** @type {const} */ (["svg", "png", "csv"]);
    this.files.replaceChildren(...kinds.map((kind) => el("button", {
      type: "button", class: "link", "aria-label": t("lab.page.save", { title: this.title, kind: kind.toUpperCase() }),
      onclick: () => this.body && saveFigure(kind, this.plot, this.body, { title: this.title, name: document.querySelector("main")?.dataset.experiment ?? "figure" }),
    }, kind.toUpperCase())));
  }
}
