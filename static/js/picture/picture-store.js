// The pictures that this browser keeps: a table in its IndexedDB. Nothing of it is sent anywhere.

const NAME = "gradoscope";
const TABLE = "pictures";

/**
 * @typedef {object} KeptPicture
 * @property {string} key
 * @property {string} strip - the pictures of a strip belong together
 * @property {number} place - in it
 * @property {number} time - when it was chosen
 * @property {string | null} id - of its explanation, once there is one
 * @property {string | null} name
 * @property {string | null} sample - its id, if it is a sample
 * @property {File | null} file - if it was chosen, dropped or pasted
 * @property {string | null} url - if it is no file
 * @property {import("./fit-upload.js").Original | null} original - what the file was before it was made to fit
 */

/** @type {Promise<IDBDatabase> | null} */
let opening = null;

/** @returns {Promise<IDBDatabase>} */
function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: "key" });
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      request.result.onclose = () => { opening = null; };
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
  });
  return opening;
}

/**
 * @template Result
 * @param {IDBTransactionMode} mode
 * @param {(table: IDBObjectStore) => IDBRequest<Result> | void} run
 * @returns {Promise<Result | undefined>}
 */
async function transact(mode, run) {
  const transaction = (await database()).transaction(TABLE, mode);
  const request = run(transaction.objectStore(TABLE));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** All of them, the oldest first. @returns {Promise<KeptPicture[]>} */
export async function keptPictures() {
  /** @type {KeptPicture[]} */
  const all = (await transact("readonly", (table) => table.getAll())) ?? [];
  return all.sort((one, other) => one.time - other.time || one.place - other.place);
}

/**
 * @param {IDBObjectStore} table
 * @param {KeptPicture} picture
 */
function put(table, picture) {
  const known = table.get(picture.key);
  known.onsuccess = () => {
    const { file = null, original = null, time = picture.time } = known.result ?? {};
    table.put({ ...picture, time, file: picture.file ?? file, original: picture.original ?? original });
  };
}

/**
 * Keeps pictures, or what is new of them (a file that is kept already stays), and drops those with the keys: all of it or
 * nothing, though the page be closed meanwhile.
 * @param {KeptPicture[]} pictures
 * @param {string[]} gone
 */
export const changeKept = (pictures, gone = []) => transact("readwrite", (table) => {
  for (const key of gone) table.delete(key);
  for (const picture of pictures) put(table, picture);
});

/** @param {string[]} keys */
export const dropKept = (keys) => changeKept([], keys);
