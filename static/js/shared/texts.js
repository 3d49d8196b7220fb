// The page's words, handed over in the page itself: <script type="application/json" id="texts">.

/** @type {Record<string, string>} */
const texts = JSON.parse(document.getElementById("texts")?.textContent ?? "");

/**
 * Adds the words of a part of the page that is fetched when it is wanted: static/texts/LANGUAGE/NAME.json.
 * @param {string} name
 */
export async function addTexts(name) {
  const [language] = document.documentElement.lang.split("-");
  const response = await fetch(new URL(`../../texts/${language}/${name}.json`, import.meta.url));
  if (!response.ok) throw new Error(`${response.status} for ${name}.json`);
  Object.assign(texts, await response.json());
}

/**
 * The text of a key, its {names} filled in.
 * @param {string} key
 * @param {Record<string, any>} values
 */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return filled(text, values, key);
}

/**
 * A text with its {names} filled in.
 * @param {string} text
 * @param {Record<string, any>} values
 * @param {string} key
 */
export function filled(text, values, key = text) {
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    if (values[name] === undefined) throw new Error(`no {${name}} for ${key}`);
    return String(values[name]);
  });
}

/**
 * The text of a key that may be missing, such as the title of a method that a plug-in brought.
 * @template Fallback
 * @param {string} key
 * @param {Fallback} fallback
 */
export const textOr = (key, fallback) => texts[key] ?? fallback;

/**
 * The text in pieces, with nodes in the place of some {names}: for phrases in another language.
 * @param {string} key
 * @param {Record<string, any>} values
 * @returns {(string | Node)[]}
 */
export function pieces(key, values) {
  return t(key, Object.fromEntries(Object.keys(values).map((name) => [name, `\u0000${name}\u0000`])))
    .split("\u0000")
    .map((part, index) => (index % 2 ? values[part] : part));
}
