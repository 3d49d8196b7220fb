import { el, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { dismissNotice, openSheet, setBrush, setTool, setViewport, showNotice } from "../state/actions.js";
import { store } from "../state/store.js";
import { SIZES } from "../viewport/brush.js";
import { View } from "../widgets/view.js";
import { maskFromFile } from "./mask-file.js";

/** @import { Notice, State } from "../state/types.js" */

let count = 0;

/** The brush of a mask: what it does, its size; a mask from a file; and the way to be rid of the mask. */
export class MaskFields extends View {
  /** @type {HTMLInputElement[]} */ modes;
  /** @type {HTMLInputElement} */ size;
  /** @type {HTMLInputElement} */ file;
  /** @type {HTMLButtonElement} */ chooseButton;
  /** @type {HTMLButtonElement} */ removeButton;

  #refused = /** @type {Notice | null} */ (null); // what was told of a file that is no mask

  build() {
    count += 1;
    const name = `brush-${count}`;
    this.modes = ["add", "erase"].map((value) => el("input", { type: "radio", name, value, onchange: () => setBrush({ erase: value === "erase" }) }));
    this.size = el("input", { type: "range", min: SIZES.min, max: SIZES.max, step: 1, "aria-label": t("mask.size"), title: t("mask.size.long"), oninput: () => setBrush({ size: this.size.valueAsNumber }) });
    this.file = el("input", { type: "file", accept: "image/png,.png", hidden: true, "aria-label": t("mask.file.long"), onchange: () => this.take() });
    this.chooseButton = el("button", { type: "button", class: "button", title: t("mask.file.long"), onclick: () => this.file.click() }, t("mask.file"));
    this.removeButton = iconButton("close", t("mask.clear"), { onclick: () => this.clear() });
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", t("mask.title"));
    this.append(
      el("fieldset", { class: "segments" }, el("legend", { class: "unseen" }, t("mask.mode")), ...this.modes.map((mode) => this.labelled(mode))),
      this.size, this.chooseButton, this.file, this.removeButton,
    );
  }

  /** @param {HTMLInputElement} mode */
  labelled(mode) {
    return el("label", { class: "segment", title: t(`mask.${mode.value}.long`) }, mode, el("span", {}, t(`mask.${mode.value}`)));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport", "tool", "brush"], (state) => this.show(state), signal);
  }

  /** @param {State} state */
  show({ viewport: { mask }, tool, brush }) {
    this.hidden = tool === "box" || (tool !== "mask" && !mask);
    for (const mode of this.modes) mode.checked = brush.erase === (mode.value === "erase");
    this.size.value = String(brush.size);
    this.size.setAttribute("aria-valuetext", t("mask.size.value", { size: brush.size }));
  }

  async take() {
    const [file] = this.file.files ?? [];
    this.file.value = ""; // the same file may be chosen again
    if (!file) return;
    if (this.#refused && store.state.notice === this.#refused) dismissNotice();
    try {
      const { picture } = store.state;
      const mask = await maskFromFile(file);
      if (store.state.picture?.url === picture?.url) setViewport({ mask });
    } catch (problem) {
      openSheet(null); // it would cover what is told
      this.#refused = { place: "picture", problem: /** @type {any} */ (problem), retry: null };
      showNotice(this.#refused);
    }
  }

  clear() {
    setViewport({ mask: null });
    setTool(null);
    (this.closest("dialog") ?? document).querySelector("viewport-bar")?.maskButton.focus();
  }
}
