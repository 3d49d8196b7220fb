// A figure's marks as SVG: text stays text, each map is a PNG inside it; nothing is fetched from anywhere.

import { FONT } from "./marks.js";

/** @import { Figure, FrameMark, ImageMark, TextMark } from "./marks.js" */

const SVG = "http://www.w3.org/2000/svg";
const XLINK = "http://www.w3.org/1999/xlink";
const XMLNS = "http://www.w3.org/2000/xmlns/";

/** @param {any} value */
const brief = (value) => (typeof value === "number" ? String(Number(value.toFixed(2))) : value);

/**
 * @param {XMLDocument} document
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {string | null} text
 */
function node(document, tag, attributes, text = null) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, brief(value));
  if (text !== null) element.textContent = text;
  return element;
}

/** @type {Record<string, (document: XMLDocument, mark: any) => Element>} */
const make = {
  /**
   * @param {XMLDocument} document
   * @param {TextMark} mark
   */
  text: (document, { text, x, y, size, weight, colour, anchor }) =>
    node(document, "text", { x, y, "font-size": size, "font-weight": weight === 400 ? null : weight, fill: colour, "text-anchor": anchor === "start" ? null : anchor }, text),
  /**
   * @param {XMLDocument} document
   * @param {ImageMark} mark
   */
  image(document, { canvas, x, y, width, height, smooth, title }) {
    const image = node(document, "image", { x, y, width, height, preserveAspectRatio: "none", "image-rendering": smooth ? null : "pixelated" });
    // xlink:href is the one that Illustrator and older Inkscapes read.
    image.setAttributeNS(XLINK, "xlink:href", canvas.toDataURL("image/png"));
    if (title) image.append(node(document, "title", {}, title));
    return image;
  },
  /**
   * @param {XMLDocument} document
   * @param {FrameMark} mark
   */
  frame: (document, { x, y, width, height, colour, line }) => node(document, "rect", { x, y, width, height, fill: "none", stroke: colour, "stroke-width": line }),
};

/** @param {Figure} figure */
export function figureSvg({ width, height, marks, title, description }) {
  // A separate document, so that nothing made here becomes part of the page.
  const svg = document.implementation.createDocument(SVG, "svg");
  const root = svg.documentElement;
  root.setAttributeNS(XMLNS, "xmlns:xlink", XLINK);
  for (const [name, value] of Object.entries({ version: "1.1", width, height, viewBox: `0 0 ${width} ${height}`, "font-family": FONT })) root.setAttribute(name, String(value));
  root.append(node(svg, "title", {}, title), node(svg, "desc", {}, description), node(svg, "rect", { width, height, fill: "#fff" }), ...marks.map((mark) => make[mark.kind](svg, mark)));
  return new Blob(['<?xml version="1.0" encoding="UTF-8"?>\n', new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
}
