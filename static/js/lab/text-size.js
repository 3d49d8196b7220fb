// How wide a text of a figure is, and how it is broken into lines.

export const FONT_PIXELS = 12;
export const LINE_PIXELS = 15;

/** @type {CanvasRenderingContext2D | null} */
let context = null;

/**
 * Pixels.
 * @param {string} text
 * @param {number} [weight]
 */
export function widthOf(text, weight = 400) {
  context ??= document.createElement("canvas").getContext("2d");
  if (!context) return 7 * text.length;
  context.font = `${weight} ${FONT_PIXELS}px ${getComputedStyle(document.body).fontFamily}`;
  return context.measureText(text).width;
}

/**
 * A text in lines that are no wider than `width`, at most `most` of them. Chinese is broken between any two characters.
 * @param {string} text
 * @param {number} width
 * @param {number} most
 */
export function linesOf(text, width, most = 2) {
  const words = text.match(/[\u3000-\u9fff\uff00-\uffef]\s*|[^\s\u3000-\u9fff\uff00-\uffef]+\s*/g) ?? [text];
  /** @type {string[]} */
  const lines = [""];
  for (const word of words) {
    const last = lines[lines.length - 1];
    if (last && widthOf(`${last}${word}`.trimEnd()) > width && lines.length < most) lines.push(word);
    else lines[lines.length - 1] = last + word;
  }
  return lines.map((line) => shortened(line.trim(), width));
}

/**
 * @param {string} text
 * @param {number} width
 */
function shortened(text, width) {
  if (widthOf(text) <= width) return text;
  let end = text.length - 1;
  while (end > 1 && widthOf(`${text.slice(0, end)}…`) > width) end -= 1;
  return `${text.slice(0, end)}…`;
}
