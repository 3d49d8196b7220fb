// A mask over a picture: cells of a grid that are inside or outside. Pure functions, without a DOM.

/** @import { Grid } from "./statistics.js" */

/**
 * The grid of a mask; `place` is what of the original it covers, [x0, y0, x1, y1] in its pixels.
 * @typedef {{ width: number, height: number, place: number[] }} Cells
 */

/**
 * Plain JSON. `runs`: how many cells are outside, inside, outside, …, row by row from the upper left.
 * @typedef {Cells & { runs: number[] }} Mask
 */

/** The cells of masks that were decoded before. @type {WeakMap<Mask, Uint8Array>} */
const decoded = new WeakMap();

/** @param {Uint8Array} cells */
export function runsOf(cells) {
  const runs = [];
  for (let at = 0, inside = 0; at < cells.length; inside = 1 - inside) {
    const next = cells.indexOf(1 - inside, at);
    const end = next < 0 ? cells.length : next;
    runs.push(end - at);
    at = end;
  }
  return runs;
}

/**
 * 1 inside, 0 outside, row by row. Not to be changed.
 * @param {Mask} mask
 */
export function cellsOf(mask) {
  const known = decoded.get(mask);
  if (known) return known;
  const cells = new Uint8Array(mask.width * mask.height);
  let at = 0;
  mask.runs.forEach((run, index) => {
    if (index % 2) cells.fill(1, at, at + run);
    at += run;
  });
  decoded.set(mask, cells);
  return cells;
}

/**
 * The mask of cells, which are its own from now on; null where none is inside.
 * @param {Cells} grid
 * @param {Uint8Array} cells
 * @returns {Mask | null}
 */
export function maskOf({ width, height, place }, cells) {
  const runs = runsOf(cells);
  if (runs.length === 1) return null;
  const mask = { width, height, place, runs };
  decoded.set(mask, cells);
  return mask;
}

/**
 * The first and the last cell whose middle is from `low` to `high`, both in pixels of the original.
 * @param {number} low
 * @param {number} high
 * @param {number} from - where the first cell begins
 * @param {number} side - of a cell
 * @param {number} count
 */
const span = (low, high, from, side, count) => [Math.max(0, Math.ceil((low - from) / side - 0.5)), Math.min(count - 1, Math.floor((high - from) / side - 0.5))];

/**
 * A mask, or an empty grid, after a round brush went in a straight line: cells are painted, or erased, whose middle lies
 * within `radius` of the line, and the cell at its end. All in pixels of the original.
 * @param {Mask | Cells} grid
 * @param {number[]} from
 * @param {number[]} to
 * @param {number} radius
 * @param {boolean} erase
 */
export function painted(grid, [ax, ay], [bx, by], radius, erase) {
  const { width, height, place: [x0, y0, x1, y1] } = grid;
  const cells = "runs" in grid ? cellsOf(grid).slice() : new Uint8Array(width * height);
  const [wide, high] = [(x1 - x0) / width, (y1 - y0) / height];
  const value = erase ? 0 : 1;
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  const [left, right] = span(Math.min(ax, bx) - radius, Math.max(ax, bx) + radius, x0, wide, width);
  const [top, bottom] = span(Math.min(ay, by) - radius, Math.max(ay, by) + radius, y0, high, height);
  for (let row = top; row <= bottom; row += 1) {
    for (let column = left; column <= right; column += 1) {
      const [x, y] = [x0 + (column + 0.5) * wide, y0 + (row + 0.5) * high];
      const along = length ? Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length)) : 0;
      const apart = (x - ax - along * (bx - ax)) ** 2 + (y - ay - along * (by - ay)) ** 2;
      if (apart <= radius * radius) cells[row * width + column] = value;
    }
  }
  const [column, row] = [Math.floor((bx - x0) / wide), Math.floor((by - y0) / high)];
  if (column >= 0 && row >= 0 && column < width && row < height) cells[row * width + column] = value;
  return maskOf(grid, cells);
}

/**
 * A mask as a model sees it, 1 inside and 0 outside: of each pixel of its input, the cell at the pixel's middle.
 * @param {Mask} mask
 * @param {number[]} crop - what of the original the input shows
 * @param {Pick<Grid, "width" | "height">} input
 */
export function maskOfInput(mask, [left, top, right, bottom], { width, height }) {
  const { width: wide, height: high, place: [x0, y0, x1, y1] } = mask;
  const cells = cellsOf(mask);
  const seen = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const row = Math.floor(((top + ((y + 0.5) / height) * (bottom - top) - y0) / (y1 - y0)) * high);
    if (row < 0 || row >= high) continue;
    for (let x = 0; x < width; x += 1) {
      const column = Math.floor(((left + ((x + 0.5) / width) * (right - left) - x0) / (x1 - x0)) * wide);
      if (column >= 0 && column < wide) seen[y * width + x] = cells[row * wide + column];
    }
  }
  return seen;
}

/**
 * Run lengths as requests have them: column by column, outside first, with spaces between.
 * @param {Uint8Array} cells
 * @param {Pick<Grid, "width" | "height">} size
 */
export function runLengths(cells, { width, height }) {
  const turned = new Uint8Array(cells.length);
  for (let x = 0; x < width; x += 1) for (let y = 0; y < height; y += 1) turned[x * height + y] = cells[y * width + x];
  return runsOf(turned).join(" ");
}

/**
 * Shares of the places inside a mask of a map's size, as sharesOf has them for a box.
 * @param {Grid} map
 * @param {Grid} signed
 * @param {Uint8Array} inside
 */
export function sharesOfMask(map, signed, inside) {
  const sums = { area: 0, map: 0, positive: 0 };
  const totals = { area: inside.length, map: 0, positive: 0 };
  inside.forEach((within, index) => {
    const magnitude = Math.abs(map.values[index]);
    const positive = Math.max(signed.values[index], 0);
    totals.map += magnitude;
    totals.positive += positive;
    if (!within) return;
    sums.area += 1;
    sums.map += magnitude;
    sums.positive += positive;
  });
  /** @type {(part: number, total: number) => number | null} */
  const share = (part, total) => (total > 0 ? part / total : null);
  return { area: share(sums.area, totals.area), map: share(sums.map, totals.map), positive: share(sums.positive, totals.positive) };
}

/**
 * Lines between what is inside and what is outside, as a path of SVG in cells.
 * @param {Mask} mask
 */
export function outlineOf(mask) {
  const { width, height } = mask;
  const cells = cellsOf(mask);
  const parts = /** @type {string[]} */ ([]);
  /** @type {(x: number, y: number) => number} */
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : cells[y * width + x]);
  for (let y = 0; y <= height; y += 1) {
    for (let x = 0, from = -1; x <= width; x += 1) {
      const edge = x < width && at(x, y) !== at(x, y - 1);
      if (edge && from < 0) from = x;
      if (!edge && from >= 0) {
        parts.push(`M${from} ${y}H${x}`);
        from = -1;
      }
    }
  }
  for (let x = 0; x <= width; x += 1) {
    for (let y = 0, from = -1; y <= height; y += 1) {
      const edge = y < height && at(x, y) !== at(x - 1, y);
      if (edge && from < 0) from = y;
      if (!edge && from >= 0) {
        parts.push(`M${x} ${from}V${y}`);
        from = -1;
      }
    }
  }
  return parts.join("");
}

/**
 * What is inside, as a path of SVG in cells: a rectangle for each run in a row.
 * @param {Mask} mask
 */
export function areaOf({ width, runs }) {
  const parts = /** @type {string[]} */ ([]);
  let at = 0;
  runs.forEach((run, index) => {
    for (let left = index % 2 ? run : 0, from = at; left > 0;) {
      const [x, y] = [from % width, Math.floor(from / width)];
      const part = Math.min(left, width - x);
      parts.push(`M${x} ${y}h${part}v1h-${part}z`);
      from += part;
      left -= part;
    }
    at += run;
  });
  return parts.join("");
}
