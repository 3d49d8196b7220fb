// What a figure is made of: texts, images and frames at places in pixels. Drawn as SVG and as canvas alike.

export const FONT = "Helvetica, Arial, 'Liberation Sans', 'Noto Sans', sans-serif";

const rulers = new Map();

function ruler(size, weight) {
  const font = `${weight} ${size}px ${FONT}`;
  if (!rulers.has(font)) {
    const context = document.createElement("canvas").getContext("2d");
    context.font = font;
    rulers.set(font, context);
  }
  return rulers.get(font);
}

export const widthOf = (text, size, weight = 400) => ruler(size, weight).measureText(text).width;

/** Broken into lines no wider than `width`; a word that is wider than that is broken too. */
export function linesOf(text, width, size, weight = 400) {
  const lines = [];
  let line = "";
  const fits = (words) => widthOf(words, size, weight) <= width;
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = line ? `${line} ${word}` : word;
    if (fits(longer)) {
      line = longer;
      continue;
    }
    if (line) lines.push(line);
    line = "";
    for (const character of word) {
      if (line && !fits(line + character)) {
        lines.push(line);
        line = "";
      }
      line += character;
    }
  }
  return line ? [...lines, line] : lines;
}

export const INK = "#1b1c1e";
export const MUTED = "#595c60";

/** Marks are put one under the other; `y` is where the next goes. */
export class Column {
  marks = [];

  constructor(x, y, width) {
    Object.assign(this, { x, y, width });
  }

  text(text, { size = 12, weight = 400, colour = INK, gap = 0 } = {}) {
    if (!text) return this;
    this.y += gap;
    const leading = Math.round(size * 1.35);
    for (const line of linesOf(text, this.width, size, weight)) {
      this.marks.push({ kind: "text", text: line, x: this.x, y: this.y + Math.round(size * 0.95), size, weight, colour, anchor: "start" });
      this.y += leading;
    }
    return this;
  }

  image(canvas, height, { width = this.width, smooth = false, title = null } = {}) {
    this.marks.push({ kind: "image", canvas, x: this.x, y: this.y, width, height, smooth, title });
    this.y += height;
    return this;
  }

  space(height) {
    this.y += height;
    return this;
  }
}
