// Builds elements. Text goes in as text nodes only: nothing that a user typed is ever parsed as HTML.

/** @typedef {{ [name: string]: any, [handler: `on${string}`]: (event: any) => any }} Attributes Listeners among them: onclick, … */

/**
 * @param {Element} node
 * @param {Attributes} attributes
 */
function apply(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes
 * @param {...(Node | string | null | undefined)} children
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  apply(node, attributes);
  node.append(...children.flatMap((child) => child ?? []));
  return node;
}

/**
 * Makes these nodes the children, and leaves alone those that stay: a node that is moved loses focus and popover.
 * @param {Element} parent
 * @param {Element[]} nodes
 */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}

/**
 * Makes these the content, unless the content equals them: what is made anew loses the focus, and an open list closes.
 * Only for nodes without listeners, which are not compared.
 * @param {Element} parent
 * @param {...(Node | string)} content
 */
export function refill(parent, ...content) {
  const fresh = el("div", {}, ...content);
  const same = fresh.childNodes.length === parent.childNodes.length
    && [...fresh.childNodes].every((node, index) => node.isEqualNode(parent.childNodes[index]));
  if (!same) parent.replaceChildren(...fresh.childNodes);
}

/** @type {Record<string, [string, Record<string, any>][]>} */
const SHAPES = {
  more: [["circle", { cx: 3.5, cy: 8, r: 1.25 }], ["circle", { cx: 8, cy: 8, r: 1.25 }], ["circle", { cx: 12.5, cy: 8, r: 1.25 }]],
  close: [["path", { d: "M4 4l8 8M12 4l-8 8" }]],
  plus: [["path", { d: "M8 3v10M3 8h10" }]],
  minus: [["path", { d: "M3 8h10" }]],
  swap: [["path", { d: "M3 5.5h9.5M10 3l2.5 2.5L10 8M13 10.5H3.5M6 8l-2.5 2.5L6 13" }]],
  previous: [["path", { d: "M10 3L5 8l5 5" }]],
  next: [["path", { d: "M6 3l5 5-5 5" }]],
  undo: [["path", { d: "M5.5 3L2.5 6l3 3M3 6h6.5a3.5 3.5 0 0 1 0 7H6" }]],
  open: [["path", { d: "M4 6l4 4 4-4" }]],
};

/** @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  apply(svg, { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true", focusable: "false" });
  for (const [tag, attributes] of SHAPES[name]) {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", tag);
    apply(shape, attributes);
    svg.append(shape);
  }
  return svg;
}

/**
 * An icon with a name for those who cannot see it, and for the pointer.
 * @param {string} name
 * @param {string} label
 * @param {Attributes} attributes
 */
export function iconButton(name, label, attributes = {}) {
  return el("button", { type: "button", class: "icon-button", "aria-label": label, title: label, ...attributes }, icon(name));
}

/**
 * What draws on a canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
export const contextOf = (canvas, settings) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", settings));

/** The element that has the focus. */
export const focused = () => /** @type {HTMLElement | null} */ (document.activeElement);
