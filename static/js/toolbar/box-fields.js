import { el, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { setTool, setViewport } from "../state/actions.js";
import { store } from "../state/store.js";
import { boxBetween } from "../viewport/geometry.js";
import { View } from "../widgets/view.js";

const NAMES = ["left", "top", "width", "height"];

/** The box as numbers, in pixels of the original: to read, and to draw without a pointer. */
export class BoxFields extends View {
  /** @type {Record<string, HTMLInputElement>} */ inputs;

  build() {
    this.inputs = Object.fromEntries(NAMES.map((name) => [name, el("input", { type: "number", step: "1", onchange: () => this.write() })]));
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", t("box.title"));
    this.append(
      ...NAMES.map((name) => el("label", { class: "box-field", title: t(`box.${name}.long`) }, el("span", { class: "field-label" }, t(`box.${name}`)), this.inputs[name])),
      iconButton("close", t("box.clear"), { onclick: () => this.clear() }),
    );
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport", "tool"], ({ viewport: { box }, tool }) => {
      this.hidden = tool === "mask" || (tool !== "box" && !box);
      this.show(box);
    }, signal);
  }

  /** @param {number[] | null} box */
  show(box) {
    const [x0, y0, x1, y1] = box ?? [];
    const values = box ? [x0, y0, x1 - x0, y1 - y0] : [];
    NAMES.forEach((name, index) => {
      const text = box ? String(Math.round(values[index])) : "";
      if (this.inputs[name].value !== text) this.inputs[name].value = text;
    });
  }

  /** What is left empty begins at the picture's corner and reaches to its end. */
  write() {
    const { picture } = store.state;
    const [left, top, width, height] = NAMES.map((name) => this.inputs[name].valueAsNumber);
    const [x, y] = [left || 0, top || 0];
    const box = boxBetween([x, y], [x + (width || (picture?.width ?? x) - x), y + (height || (picture?.height ?? y) - y)]);
    if (box && width !== 0 && height !== 0) setViewport({ box });
    else this.show(store.state.viewport.box);
  }

  clear() {
    setViewport({ box: null });
    setTool(null);
    (this.closest("dialog") ?? document).querySelector("viewport-bar")?.boxButton.focus();
  }
}
