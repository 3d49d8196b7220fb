// Grids as a drawing, for files: on the page they are tables.

import { svg } from "../shared/chart.js";
import { extent } from "./scale.js";
import { shown } from "./matrix.js";
import { gridTitle, groupTitle } from "./words.js";
import { widthOf } from "./text-size.js";

/** @import { Grid, GridsData } from "./types.js" */

const CELL = { width: 52, height: 28 };
const BETWEEN = 28;
const LINE = 22;

/**
 * Each group under its heading, its grids side by side.
 * @param {GridsData} data
 */
export function drawnGrids({ groups }) {
  const style = getComputedStyle(document.body);
  const tone = getComputedStyle(document.querySelector(".lab") ?? document.body).getPropertyValue("color");
  /** @type {(x: number, y: number, text: string, more?: Record<string, any>) => Element} */
  const text = (x, y, said, more = {}) => svg("text", { x, y, fill: style.color, "font-size": 12, "font-family": style.fontFamily, ...more }, said);
  let [y, wide] = [0, 0];
  const drawn = groups.flatMap((group) => {
    y += LINE;
    const nodes = [text(0, y - 8, groupTitle(group), { "font-weight": 600 })];
    let x = 0;
    for (const grid of group.grids) {
      nodes.push(text(x, y + 10, gridTitle(grid)), ...cellsOf(grid, x, y + LINE, tone, text));
      x += Math.max((grid.values[0]?.length ?? 0) * CELL.width, widthOf(gridTitle(grid))) + BETWEEN;
    }
    y += LINE + CELL.height * Math.max(0, ...group.grids.map(({ values }) => values.length)) + 8;
    wide = Math.max(wide, x - BETWEEN);
    return nodes;
  });
  return svg("svg", { viewBox: `0 0 ${wide} ${y}`, width: wide, height: y }, ...drawn);
}

/**
 * @param {Grid} grid
 * @param {number} left
 * @param {number} top
 * @param {string} tone
 * @param {(x: number, y: number, text: string, more?: Record<string, any>) => Element} text
 */
function cellsOf({ values }, left, top, tone, text) {
  const most = Math.max(...(extent(values.flat()) ?? [0, 0]).map(Math.abs)) || 1;
  return values.flatMap((row, y) => row.flatMap((value, x) => [
    svg("rect", { x: left + x * CELL.width, y: top + y * CELL.height, width: CELL.width - 2, height: CELL.height - 2, fill: tone, "fill-opacity": 0.04 + 0.16 * Math.abs((value ?? 0) / most) }),
    text(left + (x + 1) * CELL.width - 8, top + y * CELL.height + 18, shown(value), { "text-anchor": "end" }),
  ]));
}
