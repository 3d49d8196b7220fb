// Maps that were on the page: one that answers the question again is there at once, and is not fetched a second time.

const MOST = 32e6; // values: 128 MB, some two hundred maps of 224 × 224
const answers = new Map(); // what determines a map, as text -> {picture, answer}; the latest used last

const sizeOf = ({ answer: { raw } }) => raw?.values.length ?? 0;

/** {picture, id}: all that determines a map, as far as the page knows. */
export function cacheKey({ model, method, target }, { picture, ask }) {
  const { against, score, seed, fit, size, options } = ask;
  const id = JSON.stringify([picture.key, model, method, target, against?.index, score, seed, fit, size, options[method] ?? {}]);
  return { picture: picture.key, id };
}

/** `answer`: {status, target, against, record, raw, problem}. */
export function cacheAnswer({ picture, id }, answer) {
  answers.delete(id);
  answers.set(id, { picture, answer });
  let total = [...answers.values()].reduce((sum, each) => sum + sizeOf(each), 0);
  for (const [oldest, each] of answers) {
    if (total <= MOST) return;
    answers.delete(oldest);
    total -= sizeOf(each);
  }
}

export function cachedAnswer(key) {
  const answer = answers.get(key.id)?.answer;
  if (answer) cacheAnswer(key, answer);
  return answer;
}

/** Forgets what belongs to a picture. */
export function dropPicture(picture) {
  for (const [id, each] of [...answers]) if (each.picture === picture) answers.delete(id);
}
