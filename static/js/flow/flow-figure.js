import { el } from "../shared/dom.js";
import { powerOfTen } from "../shared/format.js";
import { t } from "../shared/texts.js";
import { sentenceOf } from "./layer-text.js";
import { decadesOf, runsOf, ticksOf, vanished } from "./log-scale.js";

/**
 * @import { FlowLayer } from "../api/types.js"
 * @import { FlowReading } from "./flow-reading.js"
 */

const NS = "http://www.w3.org/2000/svg";
const MARGIN = { left: 44, right: 12 };
const PLOT = { top: 8, height: 196 };
const STRIP = { top: 232, height: 48 };
const HEIGHT = 300;

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
 * @param {string} kind
 * @param {string} key
 */
const entry = (kind, key) => el("span", { class: `entry ${kind}` }, t(key));

/**
 * The layers from left to right as they are computed: the gradient's norm and its norm per element on a logarithmic
 * scale, below them the dead and the saturated activations, and marks where a pooling is. The pointer, or the slider
 * below with the arrow keys, reads a layer.
 */
export class FlowFigure extends HTMLElement {
  /** @type {HTMLParagraphElement} */ key;
  /** @type {HTMLDivElement} */ plot;
  /** @type {HTMLInputElement} */ slider;
  /** @type {FlowReading} */ reading;
  /** @type {{ low: number, high: number }} */ decades;
  /** @type {Element} */ cursor;

  /** @type {FlowLayer[]} */
  #layers = [];

  connectedCallback() {
    if (this.plot) return;
    this.key = el("p", { class: "key", "aria-hidden": "true" },
      entry("", "flow.norm"), entry("second", "flow.rms"), entry("dead", "flow.dead"), entry("saturated", "flow.saturated"), entry("pool", "flow.pooling"));
    this.plot = el("div", { class: "chart flow-plot" });
    this.slider = el("input", { type: "range", min: 0, step: 1, class: "flow-slider", "aria-label": t("flow.layer"), oninput: () => this.read(Number(this.slider.value)) });
    this.reading = el("flow-reading");
    this.append(this.key, this.plot, this.slider, this.reading);
    for (const kind of /** @type {const} */ (["pointermove", "pointerdown"])) this.plot.addEventListener(kind, ({ clientX }) => this.point(clientX));
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  /** @param {FlowLayer[]} layers */
  show(layers) {
    this.#layers = layers;
    this.slider.max = String(layers.length - 1);
    this.draw();
    this.read(0);
  }

  get width() {
    return this.plot.clientWidth;
  }

  /** @param {number} place */
  #left = (place) => MARGIN.left + ((place + 0.5) * (this.width - MARGIN.left - MARGIN.right)) / this.#layers.length;

  /** @param {number} clientX */
  point(clientX) {
    const { left } = this.plot.getBoundingClientRect();
    const share = (clientX - left - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right);
    const place = Math.floor(share * this.#layers.length);
    this.read(Math.min(this.#layers.length - 1, Math.max(0, place)));
  }

  /** @param {number} place */
  read(place) {
    const layer = this.#layers[place];
    this.slider.value = String(place);
    this.slider.setAttribute("aria-valuetext", sentenceOf(layer));
    this.reading.show(layer);
    this.mark(place);
  }

  draw() {
    if (!this.width || !this.#layers.length) return;
    const norms = this.#layers.map(({ norm }) => norm);
    const sizes = this.#layers.map(({ rms }) => rms);
    this.decades = decadesOf([...norms, ...sizes]);
    const cursor = svg("g", { class: "flow-cursor" });
    this.cursor = cursor;
    this.plot.replaceChildren(svg("svg", { width: this.width, height: HEIGHT, viewBox: `0 0 ${this.width} ${HEIGHT}`, "aria-hidden": "true" },
      ...this.axis(), ...this.strip(), this.limit(norms), ...this.line(sizes, "second"), ...this.line(norms, "first"), ...this.nothing(norms), ...this.pools(), cursor));
    this.mark(Number(this.slider.value));
  }

  /** @param {number} value */
  #top = (value) => {
    const { low, high } = this.decades;
    return PLOT.top + PLOT.height * (1 - (Math.log10(value) - low) / (high - low));
  };

  /**
   * @param {number} top
   * @param {string} kind
   */
  #across = (top, kind) => svg("line", { x1: MARGIN.left, x2: this.width - MARGIN.right, y1: top, y2: top, class: kind });

  /**
   * @param {number} top
   * @param {string} text
   */
  #tick = (top, text) => svg("text", { x: MARGIN.left - 8, y: top + 4, class: "tick", "text-anchor": "end" }, text);

  axis() {
    return ticksOf(this.decades).flatMap((exponent) => {
      const top = this.#top(10 ** exponent);
      return [this.#across(top, "grid"), this.#tick(top, powerOfTen(exponent))];
    });
  }

  /**
   * Where a thousandth of the largest norm is.
   * @param {(number | null)[]} norms
   */
  limit(norms) {
    const least = vanished(norms);
    return least > 0 ? this.#across(this.#top(least), "flow-limit") : svg("g", {});
  }

  /**
   * @param {(number | null)[]} values
   * @param {string} kind
   */
  line(values, kind) {
    return runsOf(values).map((run) => {
      const path = run.map(([place, value], i) => `${i ? "L" : "M"}${this.#left(place).toFixed(1)} ${this.#top(value).toFixed(1)}`);
      return svg("path", { d: run.length > 1 ? path.join("") : `${path[0]}h0.1`, class: `line ${kind}`, "stroke-linecap": "round" });
    });
  }

  /**
   * A logarithm has no place for 0, nor for what is not finite: a cross at the foot.
   * @param {(number | null)[]} norms
   */
  nothing(norms) {
    const top = PLOT.top + PLOT.height;
    return norms.flatMap((norm, place) => (norm !== null && norm > 0 ? [] : [svg("path", { d: `M${this.#left(place) - 3} ${top - 3}l6 6m0 -6l-6 6`, class: "flow-nothing" })]));
  }

  strip() {
    const width = Math.max(1, (this.width - MARGIN.left - MARGIN.right) / this.#layers.length - 1);
    const foot = STRIP.top + STRIP.height;
    /** @type {(place: number, from: number, share: number, kind: string) => Element} */
    const bar = (place, from, share, kind) => svg("rect", {
      x: (this.#left(place) - width / 2).toFixed(2), y: foot - STRIP.height * (from + share), width: width.toFixed(2), height: STRIP.height * share, class: kind,
    });
    const bars = this.#layers.flatMap(({ dead, saturated }, place) => [
      dead ? bar(place, 0, dead, "flow-dead") : [],
      saturated ? bar(place, dead ?? 0, saturated, "flow-saturated") : [],
    ].flat());
    return [this.#across(STRIP.top, "grid"), this.#tick(STRIP.top, "100 %"), ...bars, this.#across(foot, "grid zero"), this.#tick(foot, "0 %")];
  }

  pools() {
    return this.#layers.flatMap(({ pooling }, place) => (pooling
      ? [svg("path", { d: `M${this.#left(place) - 4} ${STRIP.top - 14}h8l-4 7z`, class: `flow-pool ${pooling.how}` })] : []));
  }

  /** @param {number} place */
  mark(place) {
    const layer = this.#layers[place];
    if (!this.cursor || !layer) return;
    const left = this.#left(place);
    const dots = [layer.norm, layer.rms].flatMap((value) => (value !== null && value > 0 ? value : []));
    this.cursor.replaceChildren(
      svg("line", { x1: left, x2: left, y1: PLOT.top, y2: STRIP.top + STRIP.height, class: "reading" }),
      ...dots.map((value) => svg("circle", { cx: left, cy: this.#top(value), r: 4, class: "read" })));
  }
}
