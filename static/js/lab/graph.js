// A computation: values forward, then gradients backward, edge by edge; where a value is used twice, what arrives is added.

import { svg } from "../shared/chart.js";
import { number } from "../shared/format.js";
import { t } from "../shared/texts.js";
import { layOut } from "./graph-layout.js";
import { isNarrow } from "./plot.js";
import { linesOf, widthOf } from "./text-size.js";

/**
 * @import { Drawing } from "./drawing.js"
 * @import { GraphData, GraphNode } from "./types.js"
 */

const BOX = { least: 104, leastNarrow: 56, most: 152, height: 58, padding: 8 };
const FARTHEST = 260; // from one column to the next
const ROW = 92;
const EDGE = 12;
const GAP = 26; // between two edges that join the same nodes

/** @typedef {{ width: number, narrow: boolean }} Box of a node: where room is scarce its gradient stands without the word */

/** @typedef {{ from: GraphNode, to: GraphNode, share: number | null, order: number, bend: number }} Edge */

/** @param {number | null | undefined} value */
const shown = (value) => (typeof value === "number" ? number(value) : "–");

/** The computation and its steps: 0 forward, 1 the result's own gradient, then backward through a node each. */
class Computation {
  /** @param {GraphNode[]} nodes */
  constructor(nodes) {
    this.nodes = nodes;
    const byId = new Map(nodes.map((node) => [node.id, node]));
    this.back = nodes.filter(({ inputs = [] }) => inputs.length).reverse();
    this.last = this.back.length + 1;
    /** @type {Edge[]} */
    this.edges = this.back.flatMap((from, index) => (from.inputs ?? []).flatMap((id, place, all) => {
      const to = byId.get(id);
      const [many, nth] = [all.filter((each) => each === id).length, all.slice(0, place).filter((each) => each === id).length];
      return to ? [{ from, to, share: from.shares?.[place] ?? null, order: index + 2, bend: GAP * (nth - (many - 1) / 2) }] : [];
    }));
  }

  /**
   * What has arrived at a node after a step.
   * @param {GraphNode} node
   * @param {number} step
   */
  arrived(node, step) {
    if (node === this.nodes.at(-1)) return step >= 1 ? [1] : [];
    return this.edges.filter(({ to, order }) => to === node && order <= step).map(({ share }) => share);
  }

  /**
   * What happens at a step, in words.
   * @param {number} step
   */
  sentence(step) {
    if (step === 0) return t("lab.page.graph.forward");
    if (step === 1) return t("lab.page.graph.begin");
    const from = this.back[step - 2];
    const sent = this.edges.filter(({ order }) => order === step);
    const shares = sent.map(({ share, to }) => t("lab.page.graph.to", { share: shown(share), node: to.title })).join(t("lab.page.graph.and"));
    const added = [...new Set(sent.map(({ to }) => to))].flatMap((node) => {
      const all = this.arrived(node, step);
      return all.length > 1 ? [t("lab.page.graph.added", { node: node.title, count: this.uses(node), sum: sumText(all) })] : [];
    });
    return [t("lab.page.graph.send", { node: from.title, shares }), ...added].join(" ");
  }

  /** @param {GraphNode} node */
  uses(node) {
    return this.edges.filter(({ to }) => to === node).length;
  }
}

/**
 * 3 + 3 + 1 = 7
 * @param {(number | null)[]} shares
 */
function sumText(shares) {
  const terms = shares.map((share, index) => (index && typeof share === "number" && share < 0 ? `− ${shown(-share)}` : `${index ? "+ " : ""}${shown(share)}`));
  const sum = shares.reduce((/** @type {number} */ total, share) => total + (share ?? NaN), 0);
  return shares.length > 1 ? `${terms.join(" ")} = ${shown(sum)}` : shown(shares[0]);
}

/** @param {number | null} share */
const shareText = (share) => `← ${shown(share)}`;

/** @param {number | null} share */
const shareWidth = (share) => widthOf(shareText(share), 600) + 10;

/**
 * @param {(number | null)[]} arrived
 * @param {boolean} narrow
 */
function gradientText(arrived, narrow) {
  const value = shown(/** @type {number} */ (arrived.reduce((sum, share) => Number(sum) + (share ?? NaN), 0)));
  return narrow ? value : t("lab.page.graph.gradient", { value });
}

/**
 * The box of a node, as wide as the longest of what stands in one.
 * @param {Computation} computation
 * @param {boolean} narrow
 * @returns {Box}
 */
function boxFor(computation, narrow) {
  const texts = computation.nodes.flatMap((node) => [node.title, shown(node.value), gradientText(computation.arrived(node, computation.last), narrow)]);
  const wanted = Math.max(...texts.map((text) => widthOf(text, 600))) + 2 * BOX.padding;
  return { narrow, width: Math.ceil(Math.min(BOX.most, Math.max(narrow ? BOX.leastNarrow : BOX.least, wanted))) };
}

/** @typedef {{ x: number, y: number }} Point */

/**
 * @param {GraphData} data
 * @param {number} width
 * @returns {Drawing}
 */
export function drawGraph({ nodes }, width) {
  const computation = new Computation(nodes);
  const { placeOf, between, columns, rows } = layOut(nodes);
  const room = EDGE / 2 + Math.max(...computation.edges.map(({ share }) => shareWidth(share)), 2 * EDGE);
  const full = boxFor(computation, false);
  const narrow = isNarrow(width) || full.width * columns + room * (columns - 1) + 2 * EDGE > width;
  const box = narrow ? boxFor(computation, true) : full;
  const least = box.width + room;
  const apart = columns > 1 ? Math.max(least, Math.min(FARTHEST, (width - box.width - 2 * EDGE) / (columns - 1))) : least;
  const size = { width: Math.max(width, box.width + 2 * EDGE + apart * (columns - 1)), height: BOX.height + 2 * EDGE + 24 + ROW * (rows - 1) };
  /** @type {(place: import("./graph-layout.js").Place) => Point} */
  const pointOf = ({ column, row }) => ({ x: EDGE + column * apart, y: EDGE + row * ROW });
  const ways = new Map(computation.edges.map((edge) => [edge, wayOf(edge, pointOf(placeOf(edge.to.id)), between(edge.to.id, edge.from.id).map(pointOf), pointOf(placeOf(edge.from.id)), box)]));
  const layer = svg("g", {});
  const root = svg("svg", { width: size.width, height: size.height, viewBox: `0 0 ${size.width} ${size.height}`, "aria-hidden": "true" }, layer);
  /** @param {number} step */
  const mark = (step) => layer.replaceChildren(
    ...computation.edges.map((edge) => svg("path", { d: ways.get(edge)?.path ?? "", class: edge.order === step ? "edge now" : edge.order < step ? "edge back" : "edge" })),
    ...nodes.map((node) => boxOf(node, pointOf(placeOf(node.id)), computation, step, box)),
    ...[...ways].flatMap(([edge, { middle }]) => shareOf(edge, middle, step)));
  return {
    root,
    readings: [{
      title: t("lab.page.graph.steps"), count: computation.last + 1, steps: true, first: computation.last, at: () => -1, mark,
      text: (step) => ({ place: computation.sentence(step), values: [] }),
    }],
  };
}

/**
 * The way of an edge, from the right side of an input to the left side of what is computed of it, and its middle.
 * @param {Edge} edge
 * @param {Point} from
 * @param {Point[]} through
 * @param {Point} to
 * @param {Box} box
 */
function wayOf({ bend }, from, through, to, { width }) {
  const half = BOX.height / 2;
  const points = [{ x: from.x + width, y: from.y + half + bend / 2 }, ...through.flatMap(({ x, y }) => [{ x, y: y + half + bend }, { x: x + width, y: y + half + bend }]), { x: to.x, y: to.y + half + bend / 2 }];
  const path = points.map(({ x, y }, index) => {
    if (!index) return `M${x} ${y}`;
    const before = points[index - 1];
    const bow = (x - before.x) / 2;
    const lift = through.length ? 0 : bend / 2; // two edges between the same nodes lie apart
    return `C${before.x + bow} ${before.y + lift} ${x - bow} ${y + lift} ${x} ${y}`;
  });
  const at = points.length / 2;
  const [one, other] = [points[at - 1], points[at]];
  return { path: path.join(""), middle: { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 + (through.length ? 0 : (bend * 3) / 8) } };
}

/**
 * What goes back along an edge.
 * @param {Edge} edge
 * @param {Point} middle
 * @param {number} step
 */
function shareOf(edge, { x, y }, step) {
  if (edge.order > step) return [];
  const wide = shareWidth(edge.share);
  return [
    svg("rect", { x: x - wide / 2, y: y - 10, width: wide, height: 20, rx: 4, class: "share-ground" }),
    svg("text", { x, y: y + 4, class: edge.order === step ? "share now" : "share", "text-anchor": "middle" }, shareText(edge.share)),
  ];
}

/**
 * @param {GraphNode} node
 * @param {{ x: number, y: number }} place
 * @param {Computation} computation
 * @param {number} step
 * @param {Box} box
 */
function boxOf(node, { x, y }, computation, step, { width, narrow }) {
  const arrived = computation.arrived(node, step);
  const [title] = linesOf(node.title, width - 12, 1);
  const gradient = arrived.length ? gradientText(arrived, narrow) : "";
  const sum = arrived.length > 1 ? [svg("text", { x: x + width / 2, y: y + BOX.height + 15, class: "sum", "text-anchor": "middle" }, sumText(arrived))] : [];
  return svg("g", {},
    svg("rect", { x, y, width, height: BOX.height, rx: 6, class: `node${arrived.length ? " reached" : ""}` }),
    svg("text", { x: x + BOX.padding, y: y + 17, class: "node-title" }, title),
    svg("text", { x: x + width - BOX.padding, y: y + 34, class: "node-value", "text-anchor": "end" }, shown(node.value)),
    svg("text", { x: x + width - BOX.padding, y: y + 51, class: "node-gradient", "text-anchor": "end" }, gradient), ...sum);
}
