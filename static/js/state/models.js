// What the page knows of the models, and which one it asks.

import { t } from "../shared/texts.js";
import { currentRow, indexIn } from "./rows.js";
import { store } from "./store.js";

/**
 * @import { ClassBody, InputBody, ModelBody, PredictedClass } from "../api/types.js"
 * @import { AskedClass, Panel, State } from "./types.js"
 */

/** @param {string | null | undefined} id */
export const modelOf = (id) => store.state.models?.models.find((model) => model.id === id);

/** @param {string | null | undefined} id */
export const modelTitle = (id) => modelOf(id)?.title ?? id ?? "";

/** The id of the model of the current row: what the question's fields and the predictions belong to. */
export const askedModel = () => currentRow(store.state)?.model ?? store.state.models?.default;

/**
 * The input and the predictions of that model; until it has answered, those of the first model that has.
 * @returns {InputBody | undefined}
 */
export function shownInput() {
  const { inputs } = store.state;
  return inputs.get(askedModel()) ?? inputs.values().next().value;
}

/**
 * What a panel's model saw; a map of the previous question brings its own.
 * @param {Pick<Panel, "model" | "input">} panel
 * @returns {InputBody | undefined}
 */
export const inputOf = ({ model, input }) => input ?? store.state.inputs.get(model);

/**
 * The class that the current row explains, as far as it is known yet.
 * @returns {ClassBody | null}
 */
export const askedTarget = () => currentRow(store.state)?.target ?? shownInput()?.predictions[0] ?? null;

/**
 * A model's prediction for a class, {index, label, probability, logit}, or its top class for null; undefined until it has answered.
 * @param {string | null | undefined} model
 * @param {AskedClass | null | undefined} target
 * @returns {PredictedClass | undefined}
 */
export function predictionOf(model, target) {
  const { predictions = [], targets = [] } = store.state.inputs.get(model) ?? {};
  return target ? [...predictions, ...targets].find(({ index }) => index === indexIn(target, model)) : predictions[0];
}

/**
 * The question of the chosen row, in a few words.
 * @param {State} state
 */
export function questionText(state) {
  const row = currentRow(state);
  const question = row?.target ? t("grid.why", { label: row.target.label }) : t("grid.top");
  return [question, modelTitle(row?.model)].filter(Boolean).join(" · ");
}

/**
 * {fit, size} as they are asked for: null where the model's own way was taken.
 * @param {Pick<InputBody, "fit" | "size">} input
 * @param {ModelBody} own
 */
export function askedInput({ fit, size }, own) {
  const same = size.join() === own.input_size.join();
  return { fit: fit === own.fit ? null : fit, size: same ? null : sizeText(size) };
}

/**
 * A size as it is written in the field and sent: one side, or height x width.
 * @param {number[]} size
 */
export const sizeText = ([height, width]) => (height === width ? String(height) : `${height}x${width}`);

/**
 * A size for the eye.
 * @param {number[]} size
 */
export const sizeShown = ([height, width]) => (height === width ? String(height) : `${height} × ${width}`);

/**
 * A class as it is shown: its name in the page's language where that is known, else its label.
 * @param {{ label: string, name?: string }} found
 */
export const className = ({ label, name }) => name || store.state.classNames[label] || label;
