// The numbers of a panel as short statements: what it cost, and how far it can be trusted.

import { el } from "./dom.js";
import * as format from "./format.js";
import { helped } from "./help.js";
import { t, textOr } from "./texts.js";

/** @import { NoteBody, PanelBody } from "../api/types.js" */

/**
 * One statement; `long` its help text, `poor` marks a bad result, `sentence` a text that may wrap.
 * @typedef {{ text: string, long?: string, poor?: boolean, sentence?: boolean }} Fact
 */

// Below this the path's sum and the score's change agree as well as a reader needs.
const GOOD = 0.05;

/**
 * @param {Record<string, any>} found
 * @returns {Fact}
 */
function completeness({ expected, attributed, relative_error: error, reason, parts }) {
  if (error === null || error === undefined) {
    return { text: reason ? t("panel.incomplete", { reason }) : t("panel.incomplete.plain"), poor: true };
  }
  const amount = format.percent(error);
  const sums = { expected: format.number(expected), attributed: format.number(attributed) };
  const long = parts ? t("panel.sum.parts", { ...sums, parts }) : t("panel.sum", sums);
  if (Math.abs(error) <= GOOD) return { text: t("panel.complete", { error: amount }), long };
  return { text: t(error * Math.sign(expected) < 0 ? "panel.short" : "panel.over", { error: amount }), long, poor: true };
}

/**
 * Without a change there were too few steps to compare the map with itself.
 * @param {Record<string, any>} found
 * @returns {Fact}
 */
function convergence({ converged, change }) {
  const long = t("panel.converged.long");
  if (converged) return { text: t("panel.converged", { change: format.percent(change) }), long };
  if (!Number.isFinite(change)) return { text: t("panel.unconverged.plain"), poor: true };
  return { text: t("panel.unconverged", { change: format.percent(change) }), long, poor: true };
}

/**
 * What a reader should know, in the page's language; the server's English if the page has no text for it.
 * @param {NoteBody} note
 * @returns {Fact}
 */
const note = ({ code, detail }) => ({ text: textOr(`note.${code}`, detail), sentence: true });

/**
 * How exact a mean over random samples is, or a path without a tolerance.
 * @param {Record<string, any>} diagnostics
 * @returns {Fact[]}
 */
function errors(diagnostics) {
  const ofSamples = Number.isFinite(diagnostics.limit_error) ? "limit_error" : "standard_error";
  const found = [ofSamples, "error_estimate"].filter((name) => Number.isFinite(diagnostics[name]));
  return found.map((name) => ({ text: t(`panel.${name}`, { error: format.percent(diagnostics[name]) }), long: t(`panel.${name}.long`) }));
}

/**
 * How many gradients a map rests on, and how many of them were computed for another map of the request.
 * @param {number} count
 * @param {number} [shared]
 * @returns {Fact}
 */
function evaluations(count, shared) {
  if (shared) return { text: t("panel.evaluations.shared", { count, shared }), long: t("panel.evaluations.shared.long") };
  return { text: count === 1 ? t("panel.evaluation") : t("panel.evaluations", { count }) };
}

/**
 * A map from a pass that another one has paid for takes next to nothing, but not 0.00 s.
 * @param {number} seconds
 */
const spent = (seconds) => (seconds < 0.005 ? "< 0.01 s" : format.duration(seconds));

/**
 * [{text, long?, poor?, sentence?}] for a finished panel's record.
 * @param {Pick<PanelBody, "seconds" | "diagnostics" | "notes">} record
 * @returns {Fact[]}
 */
export function factsOf({ seconds, diagnostics = {}, notes = [] }) {
  /** @type {Fact[]} */
  const facts = [];
  const { gradient_evaluations: gradients, forward_evaluations: forwards, guided_activations: guided, layer } = diagnostics;
  if (Number.isFinite(seconds)) facts.push({ text: t("panel.seconds", { seconds: spent(seconds) }) });
  if (gradients) facts.push(evaluations(gradients, diagnostics.shared_gradients));
  if (forwards) facts.push({ text: t("panel.forward", { count: forwards }) });
  if (guided !== null && guided !== undefined) facts.push({ text: t("panel.guided", { count: guided }), long: t("panel.guided.long") });
  if (layer) facts.push({ text: t("panel.layer", { layer }), long: t("panel.layer.long") });
  if (diagnostics.completeness) facts.push(completeness(diagnostics.completeness));
  if ("converged" in diagnostics) facts.push(convergence(diagnostics));
  return [...facts, ...errors(diagnostics), ...notes.map(note)];
}

/**
 * Facts as nodes of one line; the separators are text too, for whoever copies or listens.
 * @param {Fact[]} facts
 */
export function factNodes(facts) {
  return facts.flatMap(({ text, long, poor, sentence }, index) => {
    const fact = el("span", { class: sentence ? "sentence" : poor ? "poor" : null }, long ? helped(text, long) : text);
    if (index < facts.length - 1) fact.append(el("span", { class: "separator" }, "\u00a0·"));
    return index ? [" ", fact] : [fact];
  });
}

/**
 * Parameters and diagnostics differ in kind; this is one value of either as text.
 * @param {any} value
 * @returns {string}
 */
export function valueText(value) {
  if (value === null || value === undefined) return t("value.automatic");
  if (typeof value === "boolean") return t(value ? "value.yes" : "value.no");
  if (typeof value === "number") return format.number(value, 4);
  if (Array.isArray(value)) return value.map(valueText).join(" × ");
  return String(value);
}

/**
 * The value of a parameter as text; a name that is no choice of ours, such as a layer's, stays as it is.
 * @param {any} value
 */
export const settingText = (value) => (typeof value === "string" ? textOr(`catalogue.choice.${value}`, value) : valueText(value));
