// How pictures come in, apart from samples: chosen, dropped anywhere, pasted.

import { Problem } from "../api/client.js";
import { announce } from "../shared/announce.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { showNotice } from "../state/actions.js";
import { store } from "../state/store.js";
import { fitUpload, foreignFormat } from "./fit-upload.js";
import { addPictures } from "./pictures.js";

const SLOW_BYTES = 4 * 2 ** 20; // larger files take a moment to be looked at

const chooser = /** @type {HTMLInputElement} */ (document.getElementById("file"));

export function choose() {
  chooser.value = ""; // so that the same file can be chosen again after an error
  chooser.click();
}

/** @param {File[]} files */
function add(files) {
  addPictures(files.map((file) => ({ url: URL.createObjectURL(file), name: file.name || t("picture.pasted"), source: { field: "image", value: file } })));
}

/**
 * @param {string} title - key of a text
 * @param {string} detail - key of a text
 * @param {Record<string, any>} [values]
 */
function tell(title, detail, values) {
  showNotice({ place: "picture", problem: new Problem({ title: t(title, values), detail: t(detail, values) }), retry: null });
}

/**
 * Files that are pictures by their type; some systems know no type for HEIC.
 * @param {File} file
 */
const isPicture = (file) => file.type.startsWith("image/") || foreignFormat(file) !== null;

/** @param {Iterable<File>} files */
function addImageFiles(files) {
  const all = [...files];
  const pictures = all.filter(isPicture);
  const taken = pictures.length ? pictures : all.slice(0, 1);
  if (taken.length) addFitting(taken, all.length - taken.length);
  return taken.length > 0;
}

/**
 * @param {File[]} files
 * @param {number} others - files that are no pictures
 */
async function addFitting(files, others) {
  if (files.some((file) => file.size > SLOW_BYTES || foreignFormat(file))) announce(t("picture.fitting"));
  /** @type {File[]} */
  const fitting = [];
  for (const file of files) fitting.push(await fitUpload(file)); // one after another: a large one takes much memory
  const foreign = fitting.filter((file) => foreignFormat(file));
  const ready = fitting.filter((file) => !foreignFormat(file));
  if (ready.length) add(ready);
  if (foreign.length) tell("picture.foreign", "picture.foreign.detail", { name: foreign[0].name, format: foreignFormat(foreign[0]) });
  else if (others) tell("picture.others", "picture.others.detail", { count: others });
}

/** @type {HTMLElement | null} */
let veil = null;

/**
 * While files are dragged over the window, it says where they land.
 * @param {boolean} on
 */
function dragging(on) {
  document.documentElement.classList.toggle("dragging", on);
  if (on && store.state.phase !== "empty" && !veil?.isConnected) {
    veil = el("div", { class: "drop-veil", "aria-hidden": "true" }, el("p", {}, t("picture.dropHere")));
    document.body.append(veil);
  } else if (!on) veil?.remove();
}

/** @param {DragEvent} event */
const bringsFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files") ?? false;

export function listenForPictures() {
  chooser.addEventListener("change", () => addImageFiles(chooser.files ?? []));

  addEventListener("dragover", (event) => {
    event.preventDefault();
    if (bringsFiles(event)) dragging(true);
  });
  // relatedTarget is null only where the pointer leaves the window itself.
  addEventListener("dragleave", (event) => event.relatedTarget === null && dragging(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    dragging(false);
    if (addImageFiles(event.dataTransfer?.files ?? [])) return;
    tell("picture.noFile", "picture.noFile.detail");
  });

  addEventListener("paste", (event) => {
    if (addImageFiles(event.clipboardData?.files ?? [])) event.preventDefault();
  });
}
