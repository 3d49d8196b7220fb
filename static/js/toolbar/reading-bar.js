import { opacityOf } from "../rendering/colour.js";
import { paletteOf, REDUCTIONS, signOf } from "../rendering/settings.js";
import { el } from "../shared/dom.js";
import { PHONE } from "../shared/screens.js";
import { t } from "../shared/texts.js";
import { setRendering } from "../state/actions.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";

/**
 * @import { MoreTools } from "./more-tools.js"
 * @import { Palette, Reduction } from "../rendering/types.js"
 * @import { State } from "../state/types.js"
 */

let count = 0;

/**
 * A slider with its value; the texts are those of `name`.
 * @param {string} name
 * @param {Record<string, number>} attributes
 * @param {() => void} oninput
 */
export function slider(name, attributes, oninput) {
  const output = el("output", { class: "reading-value" });
  const input = el("input", { type: "range", "aria-label": t(`reading.${name}.long`), title: t(`reading.${name}.long`), oninput, ...attributes });
  return { input, output, field: el("label", { class: `reading-field reading-${name}` }, el("span", { class: "field-label" }, t(`reading.${name}`)), input, output) };
}

/**
 * How all maps are read: acts at once, on arrays that are here already; nothing is asked of the server. The bar is one
 * row: what it has no room for is behind «More», with what is rarely wanted.
 */
export class ReadingBar extends View {
  /** @type {HTMLSelectElement} */ palette;
  /** @type {{ input: HTMLInputElement, label: HTMLLabelElement }[]} */ radios;
  /** @type {ReturnType<typeof slider>} */ clip;
  /** @type {ReturnType<typeof slider>} */ overlay;
  /** @type {HTMLFieldSetElement} */ channels;
  /** @type {HTMLButtonElement} */ more;
  /** @type {MoreTools} */ rest;

  build() {
    count += 1;
    this.palette = el("select", { onchange: () => this.choosePalette() });
    this.radios = REDUCTIONS.map((reduction) => this.radio(reduction, `reduction-${count}`));
    this.clip = slider("clip", { min: 80, max: 100, step: 0.5 }, () => setRendering({ percentile: Number(this.clip.input.value) }));
    this.clip.field.append(el("clip-histogram"));
    this.overlay = slider("overlay", { min: 0, max: 100, step: 1 }, () => setRendering({ overlay: Number(this.overlay.input.value) }));
    this.channels = el("fieldset", { class: "reading-field segments reading-channels" }, el("legend", { class: "unseen" }, t("reading.channels")), ...this.radios.map(({ label }) => label));
    this.more = el("button", { type: "button", class: "button more-reading" }, t("reading.more"));
    // show-bar: strongest pixels only, and shared colour scales
    this.rest = el("more-tools", {}, this.channels, this.clip.field, this.overlay.field, el("show-bar"));
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", t("reading.title"));
    this.append(
      el("label", { class: "reading-field reading-palette" }, el("span", { class: "field-label" }, t("reading.palette")), this.palette),
      this.more, this.rest,
    );
    this.rest.attachMore(this.more);
  }

  /**
   * @param {Reduction} value
   * @param {string} name
   */
  radio(value, name) {
    const input = el("input", { type: "radio", name, value, "aria-description": t(`reading.${value}.long`), onchange: () => setRendering({ reduction: value }) });
    const label = el("label", { class: "segment", "data-help": t(`reading.${value}.long`) }, input, el("span", {}, t(`reading.${value}`)));
    return { input, label };
  }

  /** As many of the controls as the row has room for stand in it, the others behind «More». */
  fit() {
    const row = this.parentElement;
    if (!row || PHONE.matches || this.rest.matches(":popover-open")) return;
    const fields = [this.channels, this.clip.field, this.overlay.field];
    this.rest.prepend(...fields);
    for (const field of fields) {
      this.more.before(field);
      if (row.scrollWidth <= row.clientWidth) continue;
      this.rest.prepend(...fields.slice(fields.indexOf(field)));
      return;
    }
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["palettes"], ({ palettes }) => this.offer(palettes ?? {}), signal);
    store.watch(["rendering", "palettes"], (state) => this.show(state), signal);
    let width = -1;
    const room = new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width === width) return;
      width = contentRect.width;
      this.fit();
    });
    if (this.parentElement) room.observe(this.parentElement);
    signal.addEventListener("abort", () => room.disconnect());
  }

  /** @param {Record<string, Palette>} palettes */
  offer(palettes) {
    this.palette.replaceChildren(...Object.entries(palettes).map(([id, { title }]) => el("option", { value: id }, title)));
    this.fit(); // the list is as wide as its longest name
  }

  /** For maps with a sign one palette is kept, for those without another. */
  choosePalette() {
    const { rendering } = store.state;
    setRendering({ palettes: { ...rendering.palettes, [signOf(rendering.reduction)]: this.palette.value } });
  }

  /** @param {State} state */
  show({ rendering }) {
    this.palette.value = paletteOf(rendering);
    for (const { input } of this.radios) input.checked = input.value === rendering.reduction;
    this.clip.input.value = String(rendering.percentile);
    this.clip.output.textContent = `${rendering.percentile} %`;
    this.overlay.input.value = String(rendering.overlay);
    this.overlay.output.textContent = `${rendering.overlay} %`;
    // One variable for all maps: fading over the picture redraws no canvas.
    document.documentElement.style.setProperty("--overlay", String(opacityOf(rendering)));
  }
}
