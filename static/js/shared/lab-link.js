// Addresses of experiments of the lab: their settings, and where these come from. Pure functions.

/**
 * Where the settings of an experiment come from: a layer or a pooling of a network, or a check of a map.
 * @typedef {object} Origin
 * @property {"layer" | "activation" | "pooling" | "check"} kind
 * @property {string} model
 * @property {string} place - the layer's name, or the method of the map
 * @property {string} explanation - its id
 * @property {string} target - of the row whose gradient was looked at; empty where there is none
 * @property {string} said - a fact of the place, such as the share of its outputs that are saturated
 * @property {boolean} changed - whether the settings were changed since
 */

export const ORIGIN = "from"; // the name in the address
const KINDS = ["layer", "activation", "pooling", "check"];
const WORDS = /^[\p{L}\p{N} .:_/()[\]%–-]{0,120}$/u; // what names and facts are made of
const ID = /^[A-Za-z0-9_-]{0,64}$/;

/**
 * A setting as an address has it.
 * @param {unknown} value
 */
export const written = (value) => (value === null ? "off" : typeof value === "string" ? value : JSON.stringify(value));

/** @param {Origin} origin */
export const originText = ({ kind, model, place, explanation, target, said, changed }) => [kind, model, place, explanation, target, said, changed ? "changed" : ""].join("|");

/**
 * What an address says of where its settings come from; null where it says nothing, or nothing that can be right.
 * @param {string | null} text
 * @returns {Origin | null}
 */
export function originOf(text) {
  const [kind, model, place, explanation, target, said, changed = "", ...rest] = (text ?? "").split("|");
  const right = KINDS.includes(kind) && [model, place, said].every((each) => each !== undefined && WORDS.test(each)) && [explanation, target].every((each) => each !== undefined && ID.test(each));
  if (!right || !model || !place || rest.length) return null;
  return { kind: /** @type {Origin["kind"]} */ (kind), model, place, explanation, target, said, changed: changed === "changed" };
}

/**
 * The address of an experiment with these settings.
 * @param {string} id
 * @param {Record<string, unknown>} parameters
 * @param {Origin} origin
 */
export function labAddress(id, parameters, origin) {
  const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, written(value)]));
  query.set(ORIGIN, originText(origin));
  return `/lab/${id}?${query}`;
}
