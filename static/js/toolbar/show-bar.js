import { el } from "../shared/dom.js";
import { SCALES } from "../rendering/reduction.js";
import { store } from "../state/store.js";
import { t } from "../shared/texts.js";
import { SHOWS } from "../rendering/top-percent.js";
import { slider } from "./reading-bar.js";
import { View } from "../widgets/view.js";

/** A list of choices; `key` is both the reading's and the texts'. */
function choice(key, values) {
  const options = values.map((value) => el("option", { value, title: t(`reading.${key}.${value}.long`) }, t(`reading.${key}.${value}`)));
  const select = el("select", { "aria-label": t(`reading.${key}.long`), onchange: () => store.read({ [key]: select.value }) }, ...options);
  return { key, select, field: el("label", { class: `reading-field reading-${key}` }, el("span", { class: "field-label" }, t(`reading.${key}`)), select) };
}

/** What of the maps is shown, and on whose scale. */
export class ShowBar extends View {
  build() {
    this.choices = [choice("scale", SCALES), choice("show", SHOWS)];
    this.top = slider("top", { min: 1, max: 50, step: 1 }, () => store.read({ top: Number(this.top.input.value) }));
    this.append(...this.choices.map(({ field }) => field), this.top.field);
  }

  listen(signal) {
    store.watch(["reading"], ({ reading }) => this.show(reading), signal);
  }

  show(reading) {
    for (const { key, select } of this.choices) {
      select.value = reading[key];
      select.title = t(`reading.${key}.${reading[key]}.long`);
    }
    this.top.input.value = reading.top;
    this.top.output.textContent = `${reading.top} %`;
    this.top.field.hidden = reading.show === "map";
  }
}
