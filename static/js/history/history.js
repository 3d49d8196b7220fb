// The explanations of this browser, newest first, in its own storage: nothing of it is sent anywhere.

const KEY = "gradoscope.history";
const MAX_ENTRIES = 50;

/** @returns {Entry[]} */
function stored() {
  const { entries } = JSON.parse(localStorage.getItem(KEY) ?? "{}");
  return Array.isArray(entries) ? entries.filter((entry) => typeof entry?.id === "string" && Number.isFinite(entry.time)) : [];
}

/**
 * @typedef {object} Entry
 * @property {string} id
 * @property {number} time
 * @property {string | null} name - of the picture
 * @property {string | null} sample
 * @property {string | null} [thumbnail] - as a data: address
 * @property {(string | null)[]} models
 * @property {string | null} label - the model's top class
 * @property {string | null} target - the classes that were explained, where it is not the top one alone
 * @property {string[]} methods
 * @property {string} [question] - all of what was asked, to find the same view again
 * @property {boolean} gone - the server has forgotten it
 */

/** Fires `change`. */
class History extends EventTarget {
  /** @type {Entry[]} */
  entries = [];
  /** Whether the browser keeps it; else it lasts until the page is left. */
  kept = true;

  constructor() {
    super();
    this.#read();
    // Another tab has written.
    addEventListener("storage", ({ key }) => {
      if (key !== KEY && key !== null) return;
      this.#read();
      this.#dispatchChange();
    });
  }

  /** @param {string | null} id */
  of(id) {
    return this.entries.find((entry) => entry.id === id);
  }

  /**
   * Adds an entry, or adds to one; a new one stands first, an old one stays in its place.
   * @param {string} id
   * @param {Partial<Entry>} fields
   */
  put(id, fields) {
    this.#read();
    const known = this.of(id);
    const entry = /** @type {Entry} */ ({ ...known, id, time: known?.time ?? Date.now(), ...fields });
    this.#write(known ? this.entries.map((old) => (old === known ? entry : old)) : [entry, ...this.entries].slice(0, MAX_ENTRIES));
  }

  /**
   * Takes out the others that are the same view: the same question about the same picture.
   * @param {Entry} entry
   */
  dropDoubles({ id, question, sample, thumbnail }) {
    this.#read();
    /** @param {Entry} other */
    const isDouble = (other) => other.id !== id && Boolean(question) && other.question === question
      && (sample || other.sample ? other.sample === sample : Boolean(thumbnail) && other.thumbnail === thumbnail);
    if (this.entries.some(isDouble)) this.#write(this.entries.filter((entry) => !isDouble(entry)));
  }

  /** @param {string} id */
  remove(id) {
    this.#read();
    this.#write(this.entries.filter((entry) => entry.id !== id));
  }

  clear() {
    this.#write([]);
  }

  /** @param {Entry[]} entries */
  putBack(entries) {
    this.#read();
    const missing = entries.filter(({ id }) => !this.of(id));
    this.#write([...this.entries, ...missing].sort((a, b) => b.time - a.time).slice(0, MAX_ENTRIES));
  }

  #read() {
    try {
      if (this.kept) this.entries = stored();
    } catch {
      // Storage is switched off, or holds what we did not write: what this page knows itself still counts.
      this.kept = storageWorks();
    }
  }

  /** @param {Entry[]} entries */
  #write(entries) {
    this.entries = entries;
    // Where there is too little room, the pictures of the oldest go first.
    for (let pictured = entries.length; this.kept; pictured = Math.floor(pictured / 2)) {
      try {
        const lean = entries.map((entry, index) => (index < pictured ? entry : { ...entry, thumbnail: null }));
        localStorage.setItem(KEY, JSON.stringify({ version: 1, entries: lean }));
        break;
      } catch {
        if (pictured === 0) this.kept = false;
      }
    }
    this.#dispatchChange();
  }

  #dispatchChange() {
    this.dispatchEvent(new Event("change"));
  }
}

function storageWorks() {
  try {
    localStorage.removeItem(KEY);
    return true;
  } catch {
    return false;
  }
}

export const explanationHistory = new History();
