// One cell of the table of checks: what is known of one metric of one map, as mark, number and words.

import { el } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { levelOf } from "../shared/verdict.js";
import { methodTitle } from "../state/methods.js";
import { store } from "../state/store.js";
import { priceOf } from "./checks.js";
import { headlineOf } from "./figures.js";
import { headlineName } from "./headline.js";
import { lacksRegion, metricTitle } from "./metric-list.js";
import { costText } from "./metric-text.js";

/**
 * @import { MeasurementBody } from "../api/types.js"
 * @import { Measuring } from "../state/types.js"
 * @import { Cell } from "./checks.js"
 */

/** @typedef {{ kind: string, text: string, words: string }} CellState `text` is written in the cell, `words` in its tooltip. */

/**
 * Whether a metric of a region was measured without one.
 * @param {MeasurementBody} measured
 */
const hadNoRegion = ({ findings }) => (findings ?? []).some(({ code }) => code.endsWith("_no_region"));

/**
 * A finished measurement: its number, and whether it speaks against the map or for it.
 * @param {MeasurementBody} measured
 * @returns {CellState}
 */
function doneState(measured) {
  const unnamed = hadNoRegion(measured);
  const text = unnamed ? t("checks.no_region") : headlineOf(measured).text;
  const kind = levelOf(measured) ?? "silent";
  const words = [t(kind === "silent" ? "checks.silent" : `trust.level.${kind}`), [unnamed ? "" : headlineName(measured.metric), text].filter(Boolean).join(" ")].join(", ");
  return { kind, text, words };
}

/**
 * @param {Measuring} state
 * @returns {CellState}
 */
function busyState({ status, done, total }) {
  if (status === "waiting") return { kind: "busy", text: "…", words: t("panel.waiting") };
  return { kind: "busy", text: total ? format.percent(done / total) : "…", words: total ? t("panel.step", { done, total }) : t("trust.begins") };
}

/**
 * What has not been measured: what it would cost; or that it needs a region, and none is drawn.
 * @param {Cell} cell
 * @returns {CellState}
 */
function openState(cell) {
  const price = priceOf(cell);
  const { seconds = null, forwards = 0, gradients = 0 } = price ?? {};
  const free = price && !forwards && !gradients;
  if (lacksRegion(cell.metric, cell.panel)) return { kind: "open", text: t("checks.no_region"), words: t("checks.open.region") };
  const text = free ? t("checks.free") : seconds === null ? "·" : format.duration(seconds);
  return { kind: "open", text, words: [t("checks.open.cell"), price ? costText(price) : null].filter(Boolean).join(", ") };
}

/**
 * @param {Cell} cell
 * @returns {CellState}
 */
export function stateOf(cell) {
  const panel = store.panel(cell.panel);
  const measured = panel?.record?.metrics?.[cell.metric];
  const measuring = panel?.measuring[cell.metric];
  if (measuring && (measuring.status === "running" || measuring.status === "waiting")) return busyState(measuring);
  if (measured?.status === "done") return doneState(measured);
  if (measured?.status === "refused") return { kind: "refused", text: "–", words: t("trust.refused") };
  if (measured?.status === "failed" || measuring?.status === "failed") return { kind: "failed", text: t("panel.failed"), words: t("panel.failed") };
  return openState(cell);
}

/**
 * A button that leads to the figure; what it shows is written by `showCell`.
 * @param {() => void} open
 */
export const cellButton = (open) => el("button", { type: "button", class: "check-cell", onclick: open }, el("span", { class: "check-mark", "aria-hidden": "true" }), el("span", { class: "check-text" }));

/**
 * @param {HTMLButtonElement} button
 * @param {Cell} cell
 */
export function showCell(button, cell) {
  const { kind, text, words } = stateOf(cell);
  const method = methodTitle(store.panel(cell.panel)?.method ?? "");
  const [, shown] = button.children;
  const label = t("checks.cell", { metric: metricTitle(cell.metric), method, words, text });
  if (button.dataset.kind !== kind) button.dataset.kind = kind;
  if (shown.textContent !== text) shown.textContent = text;
  if (button.title === words && button.getAttribute("aria-label") === label) return;
  button.title = words;
  button.setAttribute("aria-label", label);
}
