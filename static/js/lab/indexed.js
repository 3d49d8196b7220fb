// Letters with an index, which texts write as W_k: the index below the line. And derivatives, which stay together.

import { svg } from "../shared/chart.js";
import { el } from "../shared/dom.js";

const INDEXED = /(?<![A-Za-z0-9_])([A-Za-z])_([A-Za-z0-9])(?![A-Za-z0-9_])/;
const DERIVATIVE = /([‖|]?∂\w+\/∂\w+[‖|]?|φ′\(\w\))/; // as app/web/lab_pages.py has it

/**
 * The pieces of a text: what stands on the line, and every second one an index.
 * @param {string} text
 */
function piecesOf(text) {
  /** @type {string[]} */
  const pieces = [];
  let rest = text;
  for (let found = INDEXED.exec(rest); found; found = INDEXED.exec(rest)) {
    pieces.push(rest.slice(0, found.index) + found[1], found[2]);
    rest = rest.slice(found.index + 3);
  }
  return [...pieces, rest];
}

/** @param {string} text */
export const plain = (text) => piecesOf(text).join("");

/** @param {string} text */
const withIndices = (text) => piecesOf(text).map((piece, place) => (place % 2 ? el("sub", {}, piece) : piece));

/**
 * For HTML. A derivative is not broken into two lines.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export const indexed = (text) => text.split(DERIVATIVE).flatMap((part, place) => (place % 2 ? [el("span", { class: "whole" }, ...withIndices(part))] : withIndices(part)));

/**
 * For a text element of a drawing.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function drawn(text) {
  return piecesOf(text).flatMap((piece, place) => {
    if (!piece) return [];
    if (place % 2) return [svg("tspan", { dy: 3, "font-size": 9 }, piece)];
    return [place ? svg("tspan", { dy: -3 }, piece) : piece];
  });
}
