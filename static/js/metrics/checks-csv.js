// The table of checks as CSV (RFC 4180): a line for each map and metric, in ids and plain numbers.

import { store } from "../state/store.js";
import { headlineOf } from "./figures.js";

/**
 * @import { Finding, MeasurementBody } from "../api/types.js"
 * @import { Panel } from "../state/types.js"
 */

const COLUMNS = ["explanation", "model", "class", "label", "method", "metric", "status", "against", "for", "notes", "number", "forwards", "gradients", "seconds", "parameters", "findings"];
const FORMULA = /^[=+\-@\t\r]/; // what a spreadsheet would compute

/**
 * A value as a field. Text that would be a formula in a spreadsheet is marked as text.
 * @param {string | number | null | undefined} value
 */
function field(value) {
  if (typeof value === "number") return String(value);
  const text = value ?? "";
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * @param {Panel} panel
 * @param {string} metric
 */
function lineOf(panel, metric) {
  /** @type {MeasurementBody | undefined} */
  const measured = panel.record?.metrics?.[metric];
  const done = measured?.status === "done" ? measured : null;
  /** @param {Finding["level"]} level */
  const count = (level) => done?.findings.filter((finding) => finding.level === level).length;
  return [
    store.state.id, panel.model, panel.target?.index, panel.target?.label, panel.method, metric, measured?.status ?? "open",
    count("doubt"), count("support"), count("note"), done ? headlineOf(done).value : null,
    measured?.cost?.forwards, measured?.cost?.gradients, measured?.seconds,
    measured ? JSON.stringify(measured.parameters) : null, done?.findings.map(({ detail }) => detail).join(" | "),
  ];
}

/**
 * @param {Panel[]} panels
 * @param {string[]} metrics
 */
export function csvOf(panels, metrics) {
  const lines = [COLUMNS, ...panels.flatMap((panel) => metrics.map((metric) => lineOf(panel, metric)))];
  return lines.map((line) => `${line.map(field).join(",")}\r\n`).join("");
}
