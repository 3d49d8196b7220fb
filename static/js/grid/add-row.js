import { addModel, addTarget } from "../controller/layout.js";
import { offer } from "../models/downloads.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { Popup } from "../widgets/popup.js";

/** Another row: another class of the same models, or another model for the same classes. */
export class AddRow extends Popup {
  content() {
    const target = el("class-search", { label: t("row.add.class"), placeholder: t("row.add.class.placeholder"), class: "field" });
    const model = el("model-picker", { label: t("row.add.model"), placeholder: t("row.add.model.placeholder"), class: "field", dropdown: true });
    target.addEventListener("choose", ({ detail: { index, label } }) => this.add(() => addTarget({ index, label })));
    model.addEventListener("choose", ({ detail: { id, availability } }) => this.add(() => (availability === "downloadable" ? offer(id, { adding: true }) : addModel(id))));
    return [target, model];
  }

  opened() {
    // The browser tells a moment after it has opened: whoever types already is left alone.
    if (!this.contains(document.activeElement)) this.querySelector("input")?.focus();
  }

  /** @param {() => void} run */
  add(run) {
    this.hidePopover();
    this.button.focus();
    run();
  }
}
