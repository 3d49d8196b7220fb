import { el } from "../shared/dom.js";
import { powerOfTen } from "../shared/format.js";
import { t } from "../shared/texts.js";
import { sentenceOf } from "./layer-text.js";
import { decadesOf, runsOf, ticksOf, vanishingThreshold } from "./log-scale.js";

/**
 * @import { FlowLayer } from "../api/types.js"
 * @import { FlowLayerDetails, Source } from "./flow-layer-details.js"
 */

const NS = "http://www.w3.org/2000/svg";
const MARGIN = { left: 44, right: 12 };
const PLOT = { top: 8, height: 196 };
const STRIP = { top: 232, height: 48 };
const HEIGHT = 300;
const ENDS = 296; // y of the texts that say what is at the left and at the right end

/**
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {...(Node | string)} children
 */
function svg(tag, attributes, ...children) {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/**
 * One entry of the legend.
 * @param {string} kind
 * @param {string} key
 */
const legendEntry = (kind, key) => el("span", { class: `entry ${kind}` }, t(key));

/**
 * The gradient flow as a figure: the layers from left to right, in the order in which the network computes them. Above, the
 * gradient's norm and its root mean square on a logarithmic scale; below, the shares of dead and saturated activations, with
 * marks at poolings. The pointer, or the slider with the arrow keys, selects the layer whose values are shown.
 */
export class FlowFigure extends HTMLElement {
  /** @type {HTMLParagraphElement} */ legend;
  /** @type {HTMLDivElement} */ plot;
  /** @type {HTMLInputElement} */ slider;
  /** @type {FlowLayerDetails} */ details;
  /** @type {{ low: number, high: number }} */ decades;
  /** @type {Element} */ cursor;

  /** @type {FlowLayer[]} */
  #layers = [];

  connectedCallback() {
    if (this.plot) return;
    this.legend = el("p", { class: "key", "aria-hidden": "true" },
      legendEntry("", "flow.norm"), legendEntry("second", "flow.rms"), legendEntry("dead", "flow.dead"), legendEntry("saturated", "flow.saturated"), legendEntry("pool", "flow.pooling"));
    this.plot = el("div", { class: "chart flow-plot" });
    this.slider = el("input", { type: "range", min: 0, step: 1, class: "flow-slider", "aria-label": t("flow.layer"), oninput: () => this.select(Number(this.slider.value)) });
    this.details = el("flow-layer-details");
    this.append(this.legend, this.plot, this.slider, this.details);
    for (const kind of /** @type {const} */ (["pointermove", "pointerdown"])) this.plot.addEventListener(kind, ({ clientX }) => this.selectAt(clientX));
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  /** @type {Source | null} */
  #source = null;

  /**
   * @param {FlowLayer[]} layers
   * @param {Source | null} [source]
   */
  show(layers, source = null) {
    this.#layers = layers;
    this.#source = source;
    this.slider.max = String(layers.length - 1);
    this.draw();
    this.select(0);
  }

  get width() {
    return this.plot.clientWidth;
  }

  /**
   * The x of a layer.
   * @param {number} index
   */
  #xOf = (index) => MARGIN.left + ((index + 0.5) * (this.width - MARGIN.left - MARGIN.right)) / this.#layers.length;

  /** @param {number} clientX */
  selectAt(clientX) {
    const { left } = this.plot.getBoundingClientRect();
    const share = (clientX - left - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right);
    const index = Math.floor(share * this.#layers.length);
    this.select(Math.min(this.#layers.length - 1, Math.max(0, index)));
  }

  /**
   * Selects a layer: the slider, the details and the cursor show it.
   * @param {number} index
   */
  select(index) {
    const layer = this.#layers[index];
    this.slider.value = String(index);
    this.slider.setAttribute("aria-valuetext", sentenceOf(layer));
    this.details.show(this.#layers, index, this.#source);
    this.moveCursor(index);
  }

  draw() {
    if (!this.width || !this.#layers.length) return;
    const norms = this.#layers.map(({ norm }) => norm);
    const rmsValues = this.#layers.map(({ rms }) => rms);
    this.decades = decadesOf([...norms, ...rmsValues]);
    const cursor = svg("g", { class: "flow-cursor" });
    this.cursor = cursor;
    this.plot.replaceChildren(svg("svg", { width: this.width, height: HEIGHT, viewBox: `0 0 ${this.width} ${HEIGHT}`, "aria-hidden": "true" },
      ...this.axis(), ...this.ends(), ...this.shareBars(), this.vanishingLine(norms), ...this.line(rmsValues, "second"), ...this.line(norms, "first"), ...this.crosses(norms), ...this.poolingMarks(), cursor));
    this.moveCursor(Number(this.slider.value));
  }

  /**
   * The y of a value on the logarithmic scale.
   * @param {number} value
   */
  #yOf = (value) => {
    const { low, high } = this.decades;
    return PLOT.top + PLOT.height * (1 - (Math.log10(value) - low) / (high - low));
  };

  /**
   * A horizontal line across the figure.
   * @param {number} y
   * @param {string} kind
   */
  #horizontal = (y, kind) => svg("line", { x1: MARGIN.left, x2: this.width - MARGIN.right, y1: y, y2: y, class: kind });

  /**
   * The label of a tick on the left.
   * @param {number} y
   * @param {string} text
   */
  #tick = (y, text) => svg("text", { x: MARGIN.left - 8, y: y + 4, class: "tick", "text-anchor": "end" }, text);

  axis() {
    return ticksOf(this.decades).flatMap((exponent) => {
      const y = this.#yOf(10 ** exponent);
      return [this.#horizontal(y, "grid"), this.#tick(y, powerOfTen(exponent))];
    });
  }

  /** What is at either end of the row of layers. */
  ends() {
    /** @type {[number, string, string][]} */
    const ends = [[MARGIN.left, "start", t("flow.start")], [this.width - MARGIN.right, "end", t("flow.end")]];
    return ends.map(([x, anchor, text]) => svg("text", { x, y: ENDS, class: "tick flow-end", "text-anchor": anchor }, text));
  }

  /**
   * The line below which a gradient counts as vanished: a thousandth of the largest norm.
   * @param {(number | null)[]} norms
   */
  vanishingLine(norms) {
    const threshold = vanishingThreshold(norms);
    return threshold > 0 ? this.#horizontal(this.#yOf(threshold), "flow-limit") : svg("g", {});
  }

  /**
   * @param {(number | null)[]} values
   * @param {string} kind
   */
  line(values, kind) {
    return runsOf(values).map((run) => {
      const path = run.map(([index, value], i) => `${i ? "L" : "M"}${this.#xOf(index).toFixed(1)} ${this.#yOf(value).toFixed(1)}`);
      return svg("path", { d: run.length > 1 ? path.join("") : `${path[0]}h0.1`, class: `line ${kind}`, "stroke-linecap": "round" });
    });
  }

  /**
   * A cross at the bottom for each norm that a logarithmic scale cannot show: 0, or not finite.
   * @param {(number | null)[]} norms
   */
  crosses(norms) {
    const bottom = PLOT.top + PLOT.height;
    return norms.flatMap((norm, index) => (norm !== null && norm > 0 ? [] : [svg("path", { d: `M${this.#xOf(index) - 3} ${bottom - 3}l6 6m0 -6l-6 6`, class: "flow-nothing" })]));
  }

  /** Dead and saturated activations of each layer, as stacked bars. */
  shareBars() {
    const width = Math.max(1, (this.width - MARGIN.left - MARGIN.right) / this.#layers.length - 1);
    const bottom = STRIP.top + STRIP.height;
    /** @type {(index: number, from: number, share: number, kind: string) => Element} */
    const bar = (index, from, share, kind) => svg("rect", {
      x: (this.#xOf(index) - width / 2).toFixed(2), y: bottom - STRIP.height * (from + share), width: width.toFixed(2), height: STRIP.height * share, class: kind,
    });
    const bars = this.#layers.flatMap(({ dead, saturated }, index) => [
      dead ? bar(index, 0, dead, "flow-dead") : [],
      saturated ? bar(index, dead ?? 0, saturated, "flow-saturated") : [],
    ].flat());
    return [this.#horizontal(STRIP.top, "grid"), this.#tick(STRIP.top, "100 %"), ...bars, this.#horizontal(bottom, "grid zero"), this.#tick(bottom, "0 %")];
  }

  /** A triangle above each pooling. */
  poolingMarks() {
    return this.#layers.flatMap(({ pooling }, index) => (pooling
      ? [svg("path", { d: `M${this.#xOf(index) - 4} ${STRIP.top - 14}h8l-4 7z`, class: `flow-pool ${pooling.how}` })] : []));
  }

  /**
   * Puts the cursor on a layer.
   * @param {number} index
   */
  moveCursor(index) {
    const layer = this.#layers[index];
    if (!this.cursor || !layer) return;
    const x = this.#xOf(index);
    const dots = [layer.norm, layer.rms].flatMap((value) => (value !== null && value > 0 ? value : []));
    this.cursor.replaceChildren(
      svg("line", { x1: x, x2: x, y1: PLOT.top, y2: STRIP.top + STRIP.height, class: "reading" }),
      ...dots.map((value) => svg("circle", { cx: x, cy: this.#yOf(value), r: 4, class: "read" })));
  }
}
