// Lines of equal height over a grid, by marching squares. Pure functions.

/** @typedef {[number, number, number, number]} Piece x1, y1, x2, y2 in cells of the grid */

// For each of the sixteen ways that the corners of a cell lie above or below, the edges that a line joins:
// 0 above, 1 right, 2 below, 3 left.
const JOINED = [[], [3, 2], [2, 1], [3, 1], [0, 1], [0, 3, 2, 1], [0, 2], [0, 3], [0, 3], [0, 2], [0, 1, 2, 3], [0, 1], [3, 1], [2, 1], [3, 2], []];

/**
 * The pieces of the line at a height; cells with a corner that is not finite have none.
 * @param {(number | null)[][]} values
 * @param {number} height
 */
export function isoline(values, height) {
  /** @type {Piece[]} */
  const pieces = [];
  for (let row = 0; row + 1 < values.length; row += 1) {
    for (let column = 0; column + 1 < values[row].length; column += 1) {
      const [a, b, c, d] = [values[row][column], values[row][column + 1], values[row + 1][column + 1], values[row + 1][column]];
      if (a === null || b === null || c === null || d === null) continue;
      const joined = JOINED[(a > height ? 8 : 0) + (b > height ? 4 : 0) + (c > height ? 2 : 0) + (d > height ? 1 : 0)];
      for (let k = 0; k < joined.length; k += 2) {
        pieces.push([...edge(joined[k], row, column, [a, b, c, d], height), ...edge(joined[k + 1], row, column, [a, b, c, d], height)]);
      }
    }
  }
  return pieces;
}

/**
 * Where the line crosses an edge of a cell.
 * @param {number} which
 * @param {number} row
 * @param {number} column
 * @param {[number, number, number, number]} corners
 * @param {number} height
 * @returns {[number, number]}
 */
function edge(which, row, column, [a, b, c, d], height) {
  /** @type {(from: number, to: number) => number} */
  const share = (from, to) => (height - from) / (to - from);
  if (which === 0) return [column + share(a, b), row];
  if (which === 1) return [column + 1, row + share(b, c)];
  if (which === 2) return [column + share(d, c), row + 1];
  return [column, row + share(a, d)];
}
