import { compareMaps } from "../arrays/worker-client.js";
import { clipOf } from "../rendering/colour.js";
import { mapOf } from "../rendering/draw.js";
import { statusLine } from "../shared/announce.js";
import { el, iconButton } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { t } from "../shared/texts.js";
import { setViewport } from "../state/actions.js";
import { store } from "../state/store.js";
import { cropOf, drawable, panelName } from "../viewport/viewport.js";
import { View } from "../widgets/view.js";

/**
 * @import { Settings } from "../rendering/types.js"
 * @import { Panel } from "../state/types.js"
 * @import { MapReadout } from "../viewport/map-readout.js"
 * @import { MapLens } from "../viewport/map-lens.js"
 * @import { ScaleBar } from "../widgets/scale-bar.js"
 */

const DIVERGING = "blue_orange";

/**
 * @param {Node | string} caption
 * @param {MapLens} lens
 * @param {...Node} below
 */
const figure = (caption, lens, ...below) => el("figure", { class: "compared" }, el("figcaption", {}, caption), el("div", { class: "well map-well has-map" }, lens), ...below);

/** @typedef {Awaited<ReturnType<typeof compareMaps>>} Comparison */

/**
 * What the worker needs of a panel.
 * @param {Panel} panel
 * @param {Settings} rendering
 */
function comparable(panel, rendering) {
  const map = mapOf(panel, rendering);
  if (!map) throw new Error(`no map of ${panel.id}`);
  const { width, height, values } = map;
  return { width, height, values, crop: cropOf(panel), clip: clipOf(map, rendering.percentile) };
}

/** Two panels and their difference, with how much they agree. */
export class MapCompare extends View {
  /** @type {HTMLSelectElement[]} */ selects;
  /** @type {ScaleBar[]} */ scales;
  /** @type {MapLens[]} */ lenses;
  /** @type {MapReadout[]} */ readouts;
  /** @type {HTMLDListElement} */ numbers;
  /** @type {HTMLParagraphElement} */ note;
  /** @type {HTMLDialogElement} */ dialog;

  #order = 0;
  #shown = "";

  build() {
    this.selects = ["a", "b"].map((name, index) => el("select", { "aria-label": t(`compare.${name}`), onchange: () => this.choose(index) }));
    this.scales = ["a", "b", "d"].map(() => el("scale-bar"));
    this.lenses = this.scales.map((scale) => el("map-lens", { ondrawn: ({ detail }) => scale.show(detail) }));
    this.readouts = this.scales.map(() => el("map-readout"));
    this.numbers = el("dl", { class: "agreement" });
    this.note = el("p", { class: "small muted" });
    const captions = [this.selects[0], this.selects[1], el("span", {}, t("compare.difference"))];
    this.dialog = el("dialog", { class: "viewer compare", "aria-labelledby": "compare-title", onclose: () => this.closed() },
      el("header", { class: "viewer-head" }, el("div", {}, el("h2", { class: "question", id: "compare-title" }, t("compare.title"))),
        iconButton("swap", t("compare.swap"), { onclick: () => setViewport({ compare: [...(store.state.viewport.compare ?? [])].reverse() }) }),
        iconButton("close", t("viewer.close"), { onclick: () => this.dialog.close() })),
      el("div", { class: "comparison" }, ...this.lenses.map((lens, index) => figure(captions[index], lens, this.scales[index], this.readouts[index]))),
      el("div", { role: "status" }, this.numbers), this.note, statusLine());
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport", "panels", "rendering", "inputs"], () => this.follow(), signal);
    store.watchPanels((id) => store.state.viewport.compare?.includes(id) && this.follow(), signal);
  }

  follow() {
    const { compare } = store.state.viewport;
    const panels = (compare ?? []).flatMap((id) => drawable().find((panel) => panel.id === id) ?? []);
    if (!compare || panels.length < compare.length) {
      this.#shown = "";
      if (this.dialog.open) this.dialog.close();
      return;
    }
    if (!this.dialog.open) this.open();
    const { reduction, percentile } = store.state.rendering;
    const shown = [...compare, reduction, percentile, ...panels.map(({ raw, done }) => (raw ? "raw" : done))].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.offer(panels);
    panels.forEach((panel, index) => this.show(index, panel));
    this.measure(panels);
  }

  /** On the page only while it is open: nothing in it listens otherwise. */
  open() {
    this.append(this.dialog);
    this.dialog.showModal();
  }

  closed() {
    this.dialog.remove();
    setViewport({ compare: null });
  }

  /** @param {Panel[]} panels */
  offer(panels) {
    const all = drawable();
    this.selects.forEach((select, index) => {
      select.replaceChildren(...all.map((panel) => el("option", { value: panel.id }, panelName(panel))));
      select.value = panels[index].id;
    });
  }

  /** @param {number} index */
  choose(index) {
    const compare = [...(store.state.viewport.compare ?? [])];
    compare[index] = this.selects[index].value;
    setViewport({ compare });
  }

  /**
   * @param {number} index
   * @param {Panel} panel
   */
  show(index, panel) {
    const { size } = store.state.inputs.get(panel.model) ?? {};
    const lens = this.lenses[index];
    if (size) /** @type {HTMLElement} */ (lens.parentElement).style.aspectRatio = `${size[1]} / ${size[0]}`;
    lens.canvas.setAttribute("aria-label", t("panel.look", { panel: panelName(panel) }));
    lens.setPanel(panel);
    this.readouts[index].setLens(lens);
  }

  /** @param {Panel[]} panels */
  async measure(panels) {
    const { rendering } = store.state;
    this.#order += 1;
    const order = this.#order;
    const [a, b] = panels.map((panel) => comparable(panel, rendering));
    const result = await compareMaps(a, b);
    if (order !== this.#order || !store.state.viewport.compare) return;
    this.showDifference(panels, result);
    this.showNumbers(result, rendering);
  }

  /**
   * @param {Panel[]} panels
   * @param {Comparison} result
   */
  showDifference(panels, { shape, values, first }) {
    const grid = panels[first ? 0 : 1]; // the one with fewer pixels: the difference is on its grid
    const raw = { shape, values };
    const { palettes } = store.state.rendering;
    // Read as signed values, all of them: the two were clipped already.
    this.lenses[2].own = /** @type {Settings} */ ({ reduction: "sum", palettes: { ...palettes, signed: DIVERGING }, percentile: 100, scale: "own", show: "map", top: 100 });
    this.show(2, { ...grid, id: "difference", difference: true, raw, partial: null });
    this.lenses[2].canvas.setAttribute("aria-label", t("compare.difference"));
    this.lenses[2].setAttribute("aria-label", t("compare.difference"));
  }

  /**
   * @param {Comparison} result
   * @param {Settings} rendering
   */
  showNumbers({ signed, magnitudes, union, share, pixels }, { reduction, percentile }) {
    /** @param {number | null} value */
    const number = (value) => (value === null ? "–" : format.correlation(value));
    /** @param {number | null} value */
    const portion = (value) => (value === null ? "–" : format.percent(value));
    const entries = [
      ...(reduction === "sum" ? [[t("compare.signed"), number(signed)]] : []),
      [t("compare.magnitudes"), number(magnitudes)],
      [t("compare.share"), portion(share)],
      [t("compare.union"), portion(union)],
    ];
    this.numbers.replaceChildren(...entries.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
    this.note.textContent = t("compare.note", { percentile, pixels });
  }
}
