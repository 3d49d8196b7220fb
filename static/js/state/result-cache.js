// Maps that were on the page: one that answers the question again is there at once, and is not fetched a second time.

const MOST = 32e6; // values: 128 MB, some two hundred maps of 224 × 224
const answers = new Map(); // what determines a map -> {status, target, record, raw, problem}; the latest used last

const sizeOf = ({ raw }) => raw?.values.length ?? 0;

/** All that determines a map, as far as the page knows. */
export function answerKey({ model, method, target }, { picture, ask }) {
  const { against, score, seed, fit, size, options } = ask;
  return JSON.stringify([picture.key, model, method, target, against?.index, score, seed, fit, size, options[method] ?? {}]);
}

export function keep(key, answer) {
  answers.delete(key);
  answers.set(key, answer);
  let total = [...answers.values()].reduce((sum, each) => sum + sizeOf(each), 0);
  for (const [oldest, each] of answers) {
    if (total <= MOST) return;
    answers.delete(oldest);
    total -= sizeOf(each);
  }
}

export function kept(key) {
  const answer = answers.get(key);
  if (answer) keep(key, answer);
  return answer;
}

/** Forgets what belongs to a picture. */
export function forget(picture) {
  const start = `${JSON.stringify([picture]).slice(0, -1)},`;
  for (const key of [...answers.keys()]) if (key.startsWith(start)) answers.delete(key);
}
