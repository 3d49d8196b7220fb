// The marks that an exported figure consists of: texts, images and frames, with positions in pixels. The same marks are
// written as SVG and drawn on a canvas.

import { contextOf } from "../shared/dom.js";

/**
 * @typedef {{ kind: "text", text: string, x: number, y: number, size: number, weight: number, colour: string, anchor: "start" | "middle" | "end" }} TextMark
 * @typedef {{ kind: "image", canvas: HTMLCanvasElement, x: number, y: number, width: number, height: number, smooth: boolean, title: string | null }} ImageMark
 * @typedef {{ kind: "frame", x: number, y: number, width: number, height: number, colour: string, line: number }} FrameMark
 * @typedef {TextMark | ImageMark | FrameMark} Mark
 * @typedef {{ width: number, height: number, marks: Mark[], title: string, description: string }} Figure
 */

export const FONT = "Helvetica, Arial, 'Liberation Sans', 'Noto Sans', sans-serif";

/** @type {Map<string, CanvasRenderingContext2D>} */
const contexts = new Map();

/**
 * A canvas context that measures text in this font; one is kept per font.
 * @param {number} size
 * @param {number} weight
 */
function measuringContext(size, weight) {
  const font = `${weight} ${size}px ${FONT}`;
  const known = contexts.get(font);
  if (known) return known;
  const context = contextOf(document.createElement("canvas"));
  context.font = font;
  contexts.set(font, context);
  return context;
}

/**
 * The width of a text, in pixels.
 * @param {string} text
 * @param {number} size
 * @param {number} weight
 */
export const widthOf = (text, size, weight = 400) => measuringContext(size, weight).measureText(text).width;

const PART_END = /(?<=[/,&])|(?=#)/; // in an address

/**
 * Breaks a text into lines no wider than `width`: at spaces, not at those that do not break (U+00A0). A word that is wider
 * than that is broken too: an address after a sign that ends a part of it, any other after the last letter that fits.
 * @param {string} text
 * @param {number} width
 * @param {number} size
 * @param {number} weight
 */
export function linesOf(text, width, size, weight = 400) {
  const lines = [];
  let line = "";
  /** @param {string} text */
  const fits = (text) => widthOf(text, size, weight) <= width;
  for (const word of text.split(/[^\S\u00a0]+/).filter(Boolean)) {
    const longer = line ? `${line} ${word}` : word;
    if (fits(longer)) {
      line = longer;
      continue;
    }
    if (line) lines.push(line);
    line = "";
    for (const part of word.split(PART_END).flatMap((each) => (fits(each) ? [each] : [...each]))) {
      if (line && !fits(line + part)) {
        lines.push(line);
        line = "";
      }
      line += part;
    }
  }
  return [...lines, line].filter(Boolean).map((each) => each.replaceAll("\u00a0", " "));
}

export const INK = "#1b1c1e";
export const MUTED = "#595c60";

/** Lays marks out one below the other. `y` is the top of the next mark. */
export class Column {
  /** @type {Mark[]} */
  marks = [];

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} width
   */
  constructor(x, y, width) {
    this.x = x;
    this.y = y;
    this.width = width;
  }

  /**
   * @param {string} text
   * @param {{ size?: number, weight?: number, colour?: string, gap?: number }} style
   */
  text(text, { size = 12, weight = 400, colour = INK, gap = 0 } = {}) {
    if (!text) return this;
    this.y += gap;
    const lineHeight = Math.round(size * 1.35);
    for (const line of linesOf(text, this.width, size, weight)) {
      this.marks.push({ kind: "text", text: line, x: this.x, y: this.y + Math.round(size * 0.95), size, weight, colour, anchor: "start" });
      this.y += lineHeight;
    }
    return this;
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} height
   * @param {{ width?: number, smooth?: boolean, title?: string | null }} style
   */
  image(canvas, height, { width = this.width, smooth = false, title = null } = {}) {
    this.marks.push({ kind: "image", canvas, x: this.x, y: this.y, width, height, smooth, title });
    this.y += height;
    return this;
  }

  /** @param {number} height */
  space(height) {
    this.y += height;
    return this;
  }
}
