// Maps that were on the page: one that answers the question again is there at once, and is not fetched a second time.

/** @import { Panel, State } from "./types.js" */

const MAX_VALUES = 32e6; // values: 128 MB, some two hundred maps of 224 × 224
/** @typedef {Pick<Panel, "status" | "target" | "against" | "record" | "raw" | "problem">} Answer */

/** @typedef {{ picture: string | undefined, id: string }} Key */

/** @type {Map<string, { picture: string | undefined, answer: Answer }>} */
const answers = new Map(); // what determines a map, as text -> {picture, answer}; the latest used last

/** @param {{ answer: Answer }} entry */
const sizeOf = ({ answer: { raw } }) => raw?.values.length ?? 0;

/**
 * {picture, id}: all that determines a map, as far as the page knows.
 * @param {{ model: string | null, method: string, target: number | undefined }} map
 * @param {State} state
 * @returns {Key}
 */
export function cacheKey({ model, method, target }, { picture, ask }) {
  const { against, score, seed, fit, size, options } = ask;
  const id = JSON.stringify([picture?.key, model, method, target, against?.index, score, seed, fit, size, options[method] ?? {}]);
  return { picture: picture?.key, id };
}

/**
 * @param {Key} key
 * @param {Answer} answer
 */
export function cacheAnswer({ picture, id }, answer) {
  answers.delete(id);
  answers.set(id, { picture, answer });
  let total = [...answers.values()].reduce((sum, each) => sum + sizeOf(each), 0);
  for (const [oldest, each] of answers) {
    if (total <= MAX_VALUES) return;
    answers.delete(oldest);
    total -= sizeOf(each);
  }
}

/** @param {Key} key */
export function cachedAnswer(key) {
  const answer = answers.get(key.id)?.answer;
  if (answer) cacheAnswer(key, answer);
  return answer;
}

/**
 * Forgets what belongs to a picture.
 * @param {string} picture
 */
export function dropPicture(picture) {
  for (const [id, each] of [...answers]) if (each.picture === picture) answers.delete(id);
}
