import { el } from "../dom.js";
import { paletteOf, REDUCTIONS, SCALES, signOf } from "../reading.js";
import { store } from "../store.js";
import { t } from "../texts.js";
import { SHOWS } from "../threshold.js";
import { View } from "./view.js";

let count = 0;

function slider(name, attributes, oninput) {
  const output = el("output", { class: "reading-value" });
  const input = el("input", { type: "range", "aria-label": t(`reading.${name}.long`), title: t(`reading.${name}.long`), oninput, ...attributes });
  return { input, output, field: el("label", { class: `reading-field reading-${name}` }, el("span", { class: "field-label" }, t(`reading.${name}`)), input, output) };
}

/** Exclusive choices side by side; `key` is both the reading's and the texts'. */
function segments(key, values, prefix = `${key}.`) {
  count += 1;
  const radios = values.map((value) => {
    const input = el("input", { type: "radio", name: `${key}-${count}`, value, onchange: () => store.read({ [key]: value }) });
    return { input, label: el("label", { class: "segment", title: t(`reading.${prefix}${value}.long`) }, input, el("span", {}, t(`reading.${prefix}${value}`))) };
  });
  const legend = el("legend", { class: "unseen" }, t(`reading.${key}`));
  return { key, radios, field: el("fieldset", { class: `reading-field segments reading-${key}` }, legend, ...radios.map(({ label }) => label)) };
}

/** How all maps are read: acts at once, on arrays that are here already; nothing is asked of the server. */
export class ReadingBar extends View {
  build() {
    this.palette = el("select", { onchange: () => this.choosePalette() });
    this.reduction = segments("reduction", REDUCTIONS, "");
    this.scale = segments("scale", SCALES);
    this.shown = segments("show", SHOWS);
    this.clip = slider("clip", { min: 80, max: 100, step: 0.5 }, () => store.read({ percentile: Number(this.clip.input.value) }));
    this.clip.field.append(el("clip-histogram"));
    this.top = slider("top", { min: 1, max: 50, step: 1 }, () => store.read({ top: Number(this.top.input.value) }));
    this.overlay = slider("overlay", { min: 0, max: 100, step: 1 }, () => store.read({ overlay: Number(this.overlay.input.value) }));
    this.more = el("button", { type: "button", class: "button more-reading", "aria-expanded": "false", onclick: () => this.unfold() }, t("reading.more"));
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", t("reading.title"));
    this.append(
      el("label", { class: "reading-field reading-palette" }, el("span", { class: "field-label" }, t("reading.palette")), this.palette),
      this.reduction.field, this.clip.field, this.overlay.field, this.more,
      el("div", { class: "reading-rest" },
        el("div", { class: "reading-field" }, el("span", { class: "field-label", "aria-hidden": "true" }, t("reading.scale.short")), this.scale.field),
        el("div", { class: "reading-field" }, el("span", { class: "field-label", "aria-hidden": "true" }, t("reading.show.short")), this.shown.field, this.top.field)),
    );
  }

  /** On a phone the bar is short until more is wanted. */
  unfold() {
    const open = this.closest(".instruments").classList.toggle("open");
    this.more.setAttribute("aria-expanded", String(open));
  }

  listen(signal) {
    store.watch(["palettes"], ({ palettes }) => this.offer(palettes ?? {}), signal);
    store.watch(["reading", "palettes"], (state) => this.show(state), signal);
  }

  offer(palettes) {
    this.palette.replaceChildren(...Object.entries(palettes).map(([id, { title }]) => el("option", { value: id }, title)));
  }

  choosePalette() {
    const { reading } = store.state;
    store.read({ palettes: { ...reading.palettes, [signOf(reading.reduction)]: this.palette.value } });
  }

  show({ reading }) {
    this.palette.value = paletteOf(reading);
    for (const { key, radios } of [this.reduction, this.scale, this.shown]) for (const { input } of radios) input.checked = input.value === reading[key];
    this.clip.input.value = reading.percentile;
    this.clip.output.textContent = `${reading.percentile} %`;
    this.top.input.value = reading.top;
    this.top.output.textContent = `${reading.top} %`;
    this.top.field.hidden = reading.show === "map";
    this.overlay.input.value = reading.overlay;
    this.overlay.output.textContent = `${reading.overlay} %`;
    // One variable for all maps: fading over the picture redraws no canvas.
    document.documentElement.style.setProperty("--overlay", reading.overlay / 100);
  }
}
