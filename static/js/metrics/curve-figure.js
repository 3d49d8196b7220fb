// Deletion and insertion: the curves, their areas, and the picture at any point of them.

import { Chart } from "../shared/chart.js";
import { contextOf, el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { loadImage } from "../shared/load-image.js";
import { t } from "../shared/texts.js";
import { className } from "../state/models.js";
import { store } from "../state/store.js";
import { paintCurvePicture, rgbaOf } from "./curve-picture.js";
import { arrayOf, whenNear } from "./metric-maps.js";
import { facts, numberText, ticksBetween } from "./metric-text.js";

/** @import { Panel } from "../state/types.js" */

// The orders in which pixels go or come: the map's, and those of its controls. The array of each, and how its curve is drawn.
/** @type {Record<string, string>} */
const ORDERS = { map: "order", displaced: "order_displaced", random: "order_random", gaussian: "order_gaussian" };
/** @type {Record<string, string>} */
const KINDS = { map: "first strong", displaced: "second", random: "third", gaussian: "fourth" };
const BEGIN = 0.2; // where the slider begins, as a share of the pixels: something is gone, and something left

/** @param {Record<string, any>} figures */
const ordersOf = (figures) => Object.keys(ORDERS).filter((order) => order in figures);

/**
 * The curves of an order: several where it is drawn at random.
 * @param {Record<string, any>} figures
 * @param {string} order
 * @returns {{ probabilities: number[], area: number }[]}
 */
const curvesOf = (figures, order) => [figures[order]].flat();

/**
 * The pixels of the picture as the model saw it, as RGBA pixels.
 * @param {Panel} panel
 */
async function pictureRgba({ model }) {
  const image = await loadImage(store.state.inputs.get(model)?.url ?? "");
  const { naturalWidth: width, naturalHeight: height } = image;
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(image, 0, 0);
  return { width, height, rgba: new Uint32Array(context.getImageData(0, 0, width, height).data.buffer) };
}

/**
 * A choice among the orders, as radio buttons side by side.
 * @param {string} name
 * @param {string[]} orders
 * @param {(order: string) => void} changed
 */
function orderChoice(name, orders, changed) {
  return el("fieldset", { class: "segments trust-orders", onchange: ({ target }) => changed(target.value) },
    el("legend", { class: "small muted" }, t("trust.order")),
    ...orders.map((order) => el("label", { class: "segment" },
      el("input", { type: "radio", name, value: order, checked: order === "map" }), el("span", {}, t(`trust.order.${order}`)))));
}

class CurveFigure {
  #order = "map";
  /** @type {{ picture: Uint32Array, replacement: Uint32Array, orders: Record<string, Uint16Array> } | null} */
  #pixels = null;

  /**
   * @param {any} measured
   * @param {Panel} panel
   * @param {boolean} inserts whether pixels come, instead of going
   */
  constructor(measured, panel, inserts) {
    this.measured = measured;
    this.panel = panel;
    const { metric, figures } = measured;
    this.inserts = inserts;
    this.last = figures.fractions.length - 1;
    this.canvas = el("canvas", { role: "img" });
    this.message = el("p", { class: "small muted", role: "status", hidden: true });
    this.readout = el("output", { class: "small trust-readout" });
    this.slider = el("input", { type: "range", min: 0, max: this.last, step: 1, value: Math.round(BEGIN * this.last), "aria-label": t(`trust.figure.${metric}.share`), oninput: () => this.show() });
    const chart = el("div", { class: "chart" });
    this.node = el("div", { class: "trust-curve" },
      el("div", { class: "trust-point" }, el("div", { class: "well" }, this.canvas, this.message)),
      el("div", { class: "trust-controls" }, orderChoice(`order-${metric}`, ordersOf(figures), (order) => this.choose(order)), this.slider, this.readout),
      el("div", { class: "trust-plot" }, chart),
      this.areas());
    this.chart = this.draw(chart);
    this.show();
    whenNear(this.node, () => this.fetch());
  }

  /** @param {HTMLElement} container */
  draw(container) {
    const { figures } = this.measured;
    const lines = ordersOf(figures).flatMap((order) => curvesOf(figures, order).map(({ probabilities }, draw) => (
      { name: draw ? null : t(`trust.order.${order}`), kind: KINDS[order], points: probabilities.map((value, k) => [100 * figures.fractions[k], value]) })));
    const most = Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value)));
    return new Chart(container, {
      x: { ticks: [0, 25, 50, 75, 100], label: t(`trust.figure.${this.measured.metric}.share`) },
      y: { ticks: ticksBetween(0, most), label: t("trust.probability", { label: this.panel.target ? className(this.panel.target) : "" }) },
      lines,
    });
  }

  areas() {
    const { figures } = this.measured;
    return facts(ordersOf(figures).map((order) => {
      const curves = curvesOf(figures, order);
      const name = t(`trust.order.${order}`);
      return curves.length > 1 ? [t("trust.area.mean", { name, count: curves.length }), numberText(figures[`${order}_area`])] : [t("trust.area", { name }), numberText(curves[0].area)];
    }));
  }

  /** @param {string} order */
  choose(order) {
    this.#order = order;
    this.show();
  }

  async fetch() {
    try {
      const orders = ordersOf(this.measured.figures);
      const arrays = ["replacement", ...orders.map((order) => ORDERS[order])].map((name) => arrayOf(this.measured, name));
      const [picture, replacement, ...points] = await Promise.all([pictureRgba(this.panel), ...arrays]);
      // Whole numbers, which half precision may have missed by a little.
      const pixelOrders = points.map(({ values }, index) => [orders[index], Uint16Array.from(values, Math.round)]);
      this.#pixels = { picture: picture.rgba, replacement: rgbaOf(replacement), orders: Object.fromEntries(pixelOrders) };
      Object.assign(this.canvas, { width: picture.width, height: picture.height });
      this.show();
    } catch (error) {
      this.message.textContent = `${t("trust.point.failed")} ${error.message}`;
      this.message.hidden = false;
    }
  }

  show() {
    const { metric, figures } = this.measured;
    const k = Number(this.slider.value);
    const [{ probabilities }] = curvesOf(figures, this.#order);
    const share = format.percent(figures.fractions[k]);
    const text = t(`trust.figure.${metric}.point`, { share, probability: format.probability(probabilities[k]), order: t(`trust.by.${this.#order}`) });
    this.readout.textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
    this.canvas.setAttribute("aria-label", text);
    this.chart.mark(100 * figures.fractions[k], [probabilities[k]]);
    if (this.#pixels) this.paint(k);
  }

  /** @param {number} k */
  paint(k) {
    if (!this.#pixels) return;
    const { orders, ...pixels } = this.#pixels;
    const context = contextOf(this.canvas);
    const image = context.createImageData(this.canvas.width, this.canvas.height);
    paintCurvePicture(k, { ...pixels, order: orders[this.#order], inserts: this.inserts }, new Uint32Array(image.data.buffer));
    context.putImageData(image, 0, 0);
  }
}

/**
 * @param {any} measured
 * @param {Panel} panel
 * @param {boolean} inserts whether pixels come, instead of going
 */
export const curveFigure = (measured, panel, inserts) => new CurveFigure(measured, panel, inserts).node;
