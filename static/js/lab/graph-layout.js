// Where the nodes of a computation stand: columns from the inputs to the result, rows so that edges are short. An edge over
// several columns has a place of its own in each between. Pure functions.

/** @import { GraphNode } from "./types.js" */

/** @typedef {{ column: number, row: number }} Place */

/** @typedef {{ id: string, column: number, before: string[], after: string[] }} Item */

const SWEEPS = 4;

/**
 * The name of the place of an edge in a column.
 * @param {string} input
 * @param {string} user
 * @param {number} column
 */
const passing = (input, user, column) => `${input}\u0000${user}\u0000${column}`;

/**
 * A place for each node, by its id, and those that an edge goes through. A node stands one column after the last of its
 * inputs; an input of the whole, one before the first that uses it.
 * @param {GraphNode[]} nodes each after its inputs
 */
export function layOut(nodes) {
  const columnOf = columnsOf(nodes);
  const items = itemsOf(nodes, columnOf);
  const columns = 1 + Math.max(0, ...columnOf.values());
  const byColumn = Array.from({ length: columns }, (_, column) => [...items.values()].filter((item) => item.column === column));
  const rows = Math.max(1, ...byColumn.map((column) => column.length));
  /** @type {Map<string, number>} */
  const rowOf = new Map();
  const mean = (/** @type {string[]} */ ids) => {
    const known = ids.flatMap((id) => rowOf.get(id) ?? []);
    return known.length ? known.reduce((sum, row) => sum + row, 0) / known.length : null;
  };
  for (const column of byColumn) settle(column, ({ before }) => mean(before), rowOf, rows);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const column of byColumn.toReversed()) settle(column, ({ after }) => mean(after), rowOf, rows);
    for (const column of byColumn) settle(column, ({ before, after }) => mean([...before, ...after]), rowOf, rows);
  }
  /** @type {(id: string) => Place} */
  const placeOf = (id) => ({ column: items.get(id)?.column ?? 0, row: rowOf.get(id) ?? 0 });
  return {
    columns, rows, placeOf,
    /** @type {(input: string, user: string) => Place[]} */
    between: (input, user) => {
      const [from, to] = [columnOf.get(input) ?? 0, columnOf.get(user) ?? 0];
      return Array.from({ length: Math.max(0, to - from - 1) }, (_, step) => placeOf(passing(input, user, from + 1 + step)));
    },
  };
}

/**
 * Nodes and places of edges, with what is next to each in the columns before and after.
 * @param {GraphNode[]} nodes
 * @param {Map<string, number>} columnOf
 */
function itemsOf(nodes, columnOf) {
  /** @type {Map<string, Item>} */
  const items = new Map(nodes.map(({ id }) => [id, { id, column: columnOf.get(id) ?? 0, before: [], after: [] }]));
  for (const { id, inputs = [] } of nodes) {
    for (const input of new Set(inputs)) {
      let last = input;
      for (let column = (columnOf.get(input) ?? 0) + 1; column < (columnOf.get(id) ?? 0); column += 1) {
        const next = passing(input, id, column);
        items.set(next, { id: next, column, before: [last], after: [] });
        items.get(last)?.after.push(next);
        last = next;
      }
      items.get(last)?.after.push(id);
      items.get(id)?.before.push(last);
    }
  }
  return items;
}

/** @param {GraphNode[]} nodes */
function columnsOf(nodes) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const { id, inputs = [] } of nodes) found.set(id, inputs.length ? 1 + Math.max(...inputs.map((input) => found.get(input) ?? 0)) : 0);
  for (const node of nodes) {
    const users = nodes.filter(({ inputs = [] }) => inputs.includes(node.id)).map(({ id }) => found.get(id) ?? 1);
    if (!node.inputs?.length && users.length) found.set(node.id, Math.min(...users) - 1);
  }
  return found;
}

/**
 * Puts the items of a column where they want to be, at least a row apart, within the rows.
 * @param {Item[]} column
 * @param {(item: Item) => number | null} wanted
 * @param {Map<string, number>} rowOf
 * @param {number} rows
 */
function settle(column, wanted, rowOf, rows) {
  const middle = (rows - 1) / 2;
  const sorted = column.map((item, index) => ({ id: item.id, want: wanted(item) ?? rowOf.get(item.id) ?? middle - (column.length - 1) / 2 + index }))
    .sort((one, other) => one.want - other.want);
  let next = 0;
  const lowest = sorted.map(({ want }) => (next = Math.max(want, next) + 1) - 1);
  let last = rows - 1;
  for (let index = sorted.length - 1; index >= 0; index -= 1) {
    const row = Math.max(index, Math.min(lowest[index], last));
    rowOf.set(sorted[index].id, row);
    last = row - 1;
  }
}
