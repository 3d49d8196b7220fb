// A small line chart as SVG, as wide as its place; colours and type come from chart.css.

/** @typedef {{ ticks: number[], label?: string, at?: (value: number) => number }} Axis */

/** @typedef {{ name: string | null, points: number[][], kind: string }} Line */

export const NS = "http://www.w3.org/2000/svg";
const MARGIN = { top: 28, right: 12, bottom: 40, left: 40 };
const HEIGHT = 208;

/**
 * An element of a drawing.
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {...(Node | string)} children
 */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/**
 * `x`, `y`: {ticks, label, at}, where the first and last tick bound the axis and `at` maps a value to its share of the
 * axis (linear unless given). `lines`: {name, points: [[x, y], …], kind}: the kind is a class, `dots` draws points
 * instead of a line, and one without a name has no entry in the key. `mark(x, values)` moves the reading line, with a
 * dot at each value.
 */
export class Chart {
  /** @type {{ x: number, values: number[] } | null} */
  #marked = null;
  inner = { width: 0, height: 0 };

  /**
   * @param {HTMLElement} container
   * @param {{ x: Axis, y: Axis, lines: Line[] }} content
   */
  constructor(container, { x, y, lines }) {
    this.container = container;
    this.x = x;
    this.y = y;
    this.lines = lines;
    new ResizeObserver(() => this.draw()).observe(container);
  }

  /** @param {{ lines: Line[] }} patch */
  set(patch) {
    Object.assign(this, patch);
    this.draw();
  }

  /**
   * @param {number} x
   * @param {number[]} values
   */
  mark(x, values) {
    this.#marked = { x, values };
    this.draw();
  }

  draw() {
    const width = this.container.clientWidth;
    if (!width) return;
    this.inner = { width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
    const root = svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" },
      ...this.#xAxis(), ...this.#yAxis(), ...this.lines.map((line) => this.#line(line)), ...this.#mark());
    this.container.replaceChildren(root, this.#key());
  }

  /**
   * @param {Axis} axis
   * @param {number} value
   */
  #share(axis, value) {
    const { ticks, at } = axis;
    if (at) return at(value);
    return (value - ticks[0]) / (ticks[ticks.length - 1] - ticks[0]);
  }

  /** @param {number} value */
  #left = (value) => MARGIN.left + this.inner.width * this.#share(this.x, value);
  /** @param {number} value */
  #top = (value) => MARGIN.top + this.inner.height * (1 - this.#share(this.y, value));

  #xAxis() {
    const bottom = MARGIN.top + this.inner.height;
    const ticks = this.x.ticks.map((value) =>
      svg("text", { x: this.#left(value), y: bottom + 16, class: "tick", "text-anchor": "middle" }, this.#text(value)));
    const label = svg("text", { x: MARGIN.left + this.inner.width, y: bottom + 34, class: "axis", "text-anchor": "end" }, this.x.label ?? "");
    return [...ticks, label];
  }

  #yAxis() {
    const lines = this.y.ticks.flatMap((value) => [
      svg("line", { x1: MARGIN.left, x2: MARGIN.left + this.inner.width, y1: this.#top(value), y2: this.#top(value), class: value === 0 ? "grid zero" : "grid" }),
      svg("text", { x: MARGIN.left - 8, y: this.#top(value) + 4, class: "tick", "text-anchor": "end" }, this.#text(value)),
    ]);
    return this.y.label ? [...lines, svg("text", { x: 0, y: 14, class: "axis" }, this.y.label)] : lines;
  }

  /** @param {number} value */
  #text = (value) => String(value).replace("-", "−");

  /** @param {Line} line */
  #line({ points, kind }) {
    if (kind.includes("dots")) {
      return svg("g", { class: kind }, ...points.map(([x, y]) => svg("circle", { cx: this.#left(x), cy: this.#top(y), r: 2.5 })));
    }
    const path = points.map(([x, y], i) => `${i ? "L" : "M"}${this.#left(x).toFixed(1)} ${this.#top(y).toFixed(1)}`);
    return svg("path", { d: path.join(""), class: `line ${kind}` });
  }

  #mark() {
    if (!this.#marked) return [];
    const left = this.#left(this.#marked.x);
    return [
      svg("line", { x1: left, x2: left, y1: MARGIN.top, y2: MARGIN.top + this.inner.height, class: "reading" }),
      ...this.#marked.values.map((value) => svg("circle", { cx: left, cy: this.#top(value), r: 4, class: "read" })),
    ];
  }

  /** The names of the lines, above the plot; as text, so that they wrap. */
  #key() {
    const key = document.createElement("p");
    key.className = "key";
    key.ariaHidden = "true";
    for (const { name, kind } of this.lines) {
      if (!name) continue;
      const entry = document.createElement("span");
      entry.className = `entry ${kind}`;
      entry.textContent = name;
      key.append(entry);
    }
    return key;
  }
}
