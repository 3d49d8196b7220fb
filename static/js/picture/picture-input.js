// How pictures come in, apart from samples: chosen, dropped anywhere, pasted.

import { Problem } from "../api/client.js";
import { t } from "../shared/texts.js";
import { showNotice } from "../state/actions.js";
import { fitUpload } from "./fit-upload.js";
import { addPictures } from "./pictures.js";

const chooser = /** @type {HTMLInputElement} */ (document.getElementById("file"));

export function choose() {
  chooser.value = ""; // so that the same file can be chosen again after an error
  chooser.click();
}

/** @param {File[]} files */
function add(files) {
  addPictures(files.map((file) => ({ url: URL.createObjectURL(file), name: file.name || t("picture.pasted"), source: { field: "image", value: file } })));
}

/** @param {Iterable<File>} files */
function addImageFiles(files) {
  const pictures = [...files].filter(({ type }) => type.startsWith("image/"));
  const taken = pictures.length ? pictures : [...files].slice(0, 1);
  if (taken.length) Promise.all(taken.map(fitUpload)).then(add);
  return taken.length > 0;
}

/** @param {boolean} on */
function dragging(on) {
  document.documentElement.classList.toggle("dragging", on);
}

export function listenForPictures() {
  chooser.addEventListener("change", () => addImageFiles(chooser.files ?? []));

  addEventListener("dragover", (event) => {
    event.preventDefault();
    dragging(true);
  });
  // relatedTarget is null only where the pointer leaves the window itself.
  addEventListener("dragleave", (event) => dragging(event.relatedTarget !== null));
  addEventListener("drop", (event) => {
    event.preventDefault();
    dragging(false);
    if (addImageFiles(event.dataTransfer?.files ?? [])) return;
    const problem = new Problem({ title: t("picture.noFile"), detail: t("picture.noFile.detail") });
    showNotice({ place: "picture", problem, retry: null });
  });

  addEventListener("paste", (event) => {
    if (addImageFiles(event.clipboardData?.files ?? [])) event.preventDefault();
  });
}
