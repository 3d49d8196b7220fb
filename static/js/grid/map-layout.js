// How large maps are in the room that is left, and how they stand in it. Pure functions; css/layout.css has the same sizes.

/** @typedef {{ width: number, height: number }} Room in pixels */

/**
 * @typedef {object} MapLayout
 * @property {number} columns
 * @property {number} size - width of a map, in pixels
 * @property {boolean} beside - title and facts stand beside the map, else above and below it
 * @property {boolean} short - the maps are narrow: titles may take two lines, what a bright pixel means one, and less text fits below
 * @property {boolean} scrolls - not all maps fit
 */

export const GAP = { across: 16, down: 10 };
export const TEXT = 110; // what stands beside a map, in pixels
const TEXT_GAP = 10;
export const SCALE = 30; // under a map
const CHROME = 56 + SCALE + 36; // what stands above and below a map: title and what a bright pixel means (three lines), scale, two lines of facts
const NARROW = 208; // narrower maps are `short`
// Of two layouts the one with the larger maps is taken, where the size counts as much as:
const BESIDE_WEIGHT = 0.95; // with text beside the maps
const SHORT_WEIGHT = 0.9; // with maps so narrow that their texts are shortened
const LEAST = 132; // smaller maps tell too little: the grid scrolls instead
const AT_ONCE = 6; // maps that are in sight where the grid scrolls
const SCROLLBAR = 16;

/**
 * @param {number} columns
 * @param {number} count
 * @param {Room} room
 */
function cellOf(columns, count, { width, height }) {
  const rows = Math.ceil(count / columns);
  return { width: (width - (columns - 1) * GAP.across) / columns, height: (height - (rows - 1) * GAP.down) / rows };
}

/**
 * The two ways to fill a cell: text above and below, text beside.
 * @param {number} columns
 * @param {Room} cell
 * @param {number} ratio
 * @returns {MapLayout[]}
 */
function waysToFill(columns, cell, ratio) {
  const stacked = Math.min(cell.width, (cell.height - CHROME) * ratio);
  const short = stacked < NARROW;
  const beside = Math.min(cell.width - TEXT - TEXT_GAP, (cell.height - SCALE) * ratio);
  return [
    { columns, size: Math.floor(stacked), beside: false, short, scrolls: false },
    { columns, size: Math.floor(beside), beside: true, short: false, scrolls: false },
  ];
}

/** @param {MapLayout} layout */
const worth = ({ size, beside, short }) => size * (beside ? BESIDE_WEIGHT : short ? SHORT_WEIGHT : 1);

/**
 * The largest maps that fit whole.
 * @param {Room} room
 * @param {number} count
 * @param {number} ratio
 */
function largest(room, count, ratio) {
  const all = Array.from({ length: count }, (_, index) => waysToFill(index + 1, cellOf(index + 1, count, room), ratio)).flat();
  return all.reduce((best, next) => (worth(next) > worth(best) ? next : best));
}

/**
 * Where `count` maps go. If they would become smaller than `LEAST`, six of them fill the room, and the grid scrolls.
 * @param {Room} room
 * @param {number} count
 * @param {number} ratio - width of a map by its height
 * @returns {MapLayout}
 */
export function layoutOf(room, count, ratio = 1) {
  const best = largest(room, Math.max(count, 1), ratio);
  if (best.size >= LEAST) return best;
  const inner = { ...room, width: room.width - SCROLLBAR };
  const six = largest(inner, Math.min(Math.max(count, 1), AT_ONCE), ratio);
  if (six.size >= LEAST) return { ...six, scrolls: true };
  const columns = Math.max(1, Math.min(count, Math.floor((inner.width + GAP.across) / (LEAST + GAP.across))));
  const { width } = cellOf(columns, columns, inner);
  return { columns, size: Math.floor(Math.max(0, Math.min(width, Math.max(LEAST, (room.height - CHROME) * ratio)))), beside: false, short: true, scrolls: true };
}

/**
 * The width that the maps take; beside text they take all of the room.
 * @param {MapLayout} layout
 * @param {Room} room
 */
export function usedWidth({ columns, size, beside, scrolls }, room) {
  if (beside) return room.width;
  return Math.min(room.width, columns * size + (columns - 1) * GAP.across + (scrolls ? SCROLLBAR : 0));
}
