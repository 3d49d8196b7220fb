// A drawing with two axes: where it lies, its axes, and the place of a value in it.

import { svg } from "../shared/chart.js";
import { drawn } from "./indexed.js";
import { LINE_PIXELS, linesOf, widthOf } from "./text-size.js";

/** @import { Scale } from "./scale.js" */

/** @typedef {{ top: number, right: number, bottom: number, left: number }} Margin */

/** @typedef {{ title: string, className: string }} KeyEntry */

const GAP = 8;
const SWATCH = 22; // pixels of the sample of a line, with the space after it
const BETWEEN = 16; // entries of a key
const NARROW = 420;
const SLANT = 40; // degrees, of names that have no room side by side

/** @param {number} width */
export const heightFor = (width) => (width < NARROW ? 232 : 280);

/** @param {number} width */
export const isNarrow = (width) => width < NARROW;

/**
 * The class of the series at a place; after the eighth the colours begin again, with other dashes.
 * @param {number} place
 */
export const seriesClass = (place) => `s${(place % 8) + 1}${place < 8 ? "" : " later"}`;

/**
 * The height that names below a plot take aslant; 0 where they have room side by side.
 * @param {string[]} texts
 * @param {number} inner - pixels that they share
 */
export function slantOf(texts, inner) {
  const longest = Math.max(0, ...texts.map((text) => widthOf(text)));
  return longest + GAP <= inner / Math.max(1, texts.length) ? 0 : Math.ceil(20 + longest * Math.sin((SLANT * Math.PI) / 180));
}

export class Plot {
  /**
   * @param {{ width: number, height: number, x: Scale, y: Scale, right?: number, top?: number, xTitle: string, yTitle: string, slant?: number }} place - slant: the height of names that stand aslant below
   */
  constructor({ width, height, x, y, right = 12, top = 12, xTitle, yTitle, slant = 0 }) {
    const left = Math.max(28, ...y.ticks.map(({ text }) => widthOf(text) + GAP + 4));
    /** @type {Margin} */
    this.margin = { top: top + (yTitle ? 20 : 0), right, bottom: slant ? slant + (xTitle ? 16 : 0) : xTitle ? 42 : 26, left };
    this.width = width;
    this.height = height;
    this.x = x;
    this.y = y;
    this.inner = { width: width - left - right, height: height - this.margin.top - this.margin.bottom };
    this.xTitle = xTitle;
    this.yTitle = yTitle;
    this.top = top;
    this.slant = slant;
  }

  /** @param {number | null | undefined} value */
  left = (value) => {
    const share = this.x.at(value);
    return share === null ? null : this.margin.left + this.inner.width * share;
  };

  /** @param {number | null | undefined} value */
  at = (value) => {
    const share = this.y.at(value);
    return share === null ? null : this.margin.top + this.inner.height * (1 - share);
  };

  get bottom() {
    return this.margin.top + this.inner.height;
  }

  get right() {
    return this.margin.left + this.inner.width;
  }

  /**
   * The ticks that are shown along x: every one, or every second, or third …, so that no two touch.
   * @param {{ value: number, text: string }[]} [ticks]
   */
  xTicks(ticks = this.x.ticks) {
    if (this.slant) return ticks.map((tick) => this.slanted(tick));
    const places = ticks.flatMap(({ value, text }) => {
      const left = this.left(value);
      return left === null || left < this.margin.left - 1 || left > this.right + 1 ? [] : [{ left, text, half: widthOf(text) / 2 }];
    });
    return sparse(places).map(({ left, text }) => svg("text", { x: left.toFixed(1), y: this.bottom + 16, class: "tick", "text-anchor": "middle" }, text));
  }

  /** @param {{ value: number, text: string }} tick */
  slanted({ value, text }) {
    const [x, y] = [/** @type {number} */ (this.left(value)) + 4, this.bottom + 12];
    return svg("text", { x: x.toFixed(1), y, class: "tick", "text-anchor": "end", transform: `rotate(${-SLANT} ${x.toFixed(1)} ${y})` }, text);
  }

  /** Lines across at the ticks of y, the ticks of both, and the titles. */
  axes(ticks = this.x.ticks) {
    const { left } = this.margin;
    const across = this.y.ticks.flatMap(({ value, text }) => {
      const y = this.at(value);
      if (y === null || y < this.margin.top - 1 || y > this.bottom + 1) return [];
      return [
        svg("line", { x1: left, x2: this.right, y1: y.toFixed(1), y2: y.toFixed(1), class: value === 0 ? "grid zero" : "grid" }),
        svg("text", { x: left - GAP, y: (y + 4).toFixed(1), class: "tick", "text-anchor": "end" }, text),
      ];
    });
    return [...across, ...this.xTicks(ticks), ...this.titles()];
  }

  titles() {
    const [x] = linesOf(this.xTitle, this.inner.width, 1);
    const [y] = linesOf(this.yTitle, this.width, 1);
    return [
      ...(this.xTitle ? [svg("text", { x: this.right, y: this.height - 6, class: "axis", "text-anchor": "end" }, ...drawn(x))] : []),
      ...(this.yTitle ? [svg("text", { x: 0, y: this.top + 4, class: "axis" }, ...drawn(y))] : []),
    ];
  }

  /** @param {(Node | string)[]} nodes */
  root(nodes) {
    return svg("svg", { width: this.width, height: this.height, viewBox: `0 0 ${this.width} ${this.height}`, "aria-hidden": "true" }, ...nodes);
  }
}

/**
 * Every so many of the labels along an axis, the first among them, that none touches the next.
 * @template {{ left: number, half: number }} Label
 * @param {Label[]} labels
 */
export function sparse(labels) {
  for (let every = 1; every < labels.length; every += 1) {
    const some = labels.filter((_, index) => index % every === 0);
    if (some.every(({ left, half }, index) => !index || left - half >= some[index - 1].left + some[index - 1].half + GAP)) return some;
  }
  return labels.slice(0, 1);
}

/**
 * Names beside samples of their lines, above a plot, and the height that they take.
 * @param {KeyEntry[]} entries
 * @param {number} width
 */
export function keyOf(entries, width) {
  let [x, y] = [0, 7]; // Chinese letters reach higher than others
  const nodes = entries.flatMap(({ title, className }) => {
    const [text] = linesOf(title, width - SWATCH, 1);
    const long = SWATCH + widthOf(text);
    if (x && x + long > width) [x, y] = [0, y + LINE_PIXELS + 3];
    const at = x;
    x += long + BETWEEN;
    return [
      className.includes("points") ? svg("circle", { cx: at + 8.5, cy: y, r: 4, class: `dot ${className}` })
        : className.includes("bar") ? svg("rect", { x: at + 4, y: y - 4, width: 9, height: 9, class: `bar ${className}` })
        : svg("line", { x1: at, x2: at + SWATCH - 6, y1: y, y2: y, class: `line ${className}` }),
      svg("text", { x: at + SWATCH, y: y + 4, class: `key-text ${className}` }, ...drawn(text)),
    ];
  });
  return { nodes, height: entries.length ? y + 12 : 0 };
}

/**
 * Places for labels one under the other: as near to where each belongs as leaves them apart, within the bounds.
 * @param {{ y: number, height: number }[]} labels
 * @param {number} top
 * @param {number} bottom
 */
export function spread(labels, top, bottom) {
  const order = labels.map((_, index) => index).sort((one, other) => labels[one].y - labels[other].y);
  const places = labels.map(({ y }) => y);
  let end = top;
  for (const index of order) {
    places[index] = Math.max(places[index], end + labels[index].height / 2);
    end = places[index] + labels[index].height / 2;
  }
  let start = bottom;
  for (const index of order.toReversed()) {
    places[index] = Math.min(places[index], start - labels[index].height / 2);
    start = places[index] - labels[index].height / 2;
  }
  return places;
}
