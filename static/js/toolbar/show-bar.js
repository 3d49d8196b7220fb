import { SCALES, SHOWS } from "../rendering/settings.js";
import { el } from "../shared/dom.js";
import { setHelp } from "../shared/help.js";
import { t } from "../shared/texts.js";
import { setRendering } from "../state/actions.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { slider } from "./reading-bar.js";

/** @import { Settings } from "../rendering/types.js" */

/**
 * A select element for the rendering setting `key`, which also names its texts.
 * @param {"scale" | "show"} key
 * @param {string[]} values
 */
function choice(key, values) {
  const options = values.map((value) => el("option", { value, title: t(`reading.${key}.${value}.long`) }, t(`reading.${key}.${value}`)));
  const select = el("select", { "aria-label": t(`reading.${key}.long`), onchange: () => setRendering({ [key]: select.value }) }, ...options);
  return { key, select, field: el("label", { class: `reading-field reading-${key}` }, el("span", { class: "field-label" }, t(`reading.${key}`)), select) };
}

const STOPS = [5, 10, 20, 30]; // per cent, as the figures of papers have them
let count = 0;

/** Controls that choose what the panels show (the whole map, or its strongest pixels) and which panels share a colour scale. */
export class ShowBar extends View {
  /** @type {ReturnType<typeof choice>[]} */ choices;
  /** The share of the strongest pixels, in percent. @type {ReturnType<typeof slider>} */ top;

  build() {
    this.choices = [choice("scale", SCALES), choice("show", SHOWS)];
    this.top = slider("top", { min: 1, max: 50, step: 1 }, () => setRendering({ top: Number(this.top.input.value) }));
    count += 1;
    const stops = el("datalist", { id: `top-stops-${count}` }, ...STOPS.map((value) => el("option", { value })));
    this.top.input.setAttribute("list", stops.id);
    this.append(...this.choices.map(({ field }) => field), this.top.field, stops);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["rendering"], ({ rendering }) => this.show(rendering), signal);
  }

  /** @param {Settings} rendering */
  show(rendering) {
    for (const { key, select } of this.choices) {
      select.value = rendering[key];
      setHelp(select, t(`reading.${key}.${rendering[key]}.long`));
    }
    this.top.input.value = String(rendering.top);
    this.top.output.textContent = `${rendering.top} %`;
    this.top.field.hidden = rendering.show === "map";
  }
}
