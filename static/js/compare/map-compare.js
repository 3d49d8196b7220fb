import { compareMaps } from "../arrays/worker-client.js";
import { clipOf } from "../rendering/colour.js";
import { mapOf } from "../rendering/draw.js";
import { announce, statusLine } from "../shared/announce.js";
import { el, iconButton, refill } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { setViewport } from "../state/actions.js";
import { inputOf } from "../state/models.js";
import { store } from "../state/store.js";
import { cropOf, drawable, panelName } from "../viewport/viewport.js";
import { View } from "../widgets/view.js";
import { numberNodes, sentence } from "./agreement.js";
import { PICTURE, pictureOf, sides, sideTitle } from "./sides.js";

/**
 * @import { Settings } from "../rendering/types.js"
 * @import { Panel, Viewport } from "../state/types.js"
 * @import { MapReadout } from "../viewport/map-readout.js"
 * @import { MapLens } from "../viewport/map-lens.js"
 * @import { ScaleBar } from "../widgets/scale-bar.js"
 * @import { Comparison } from "./agreement.js"
 * @import { OverlaidMaps } from "./overlaid-maps.js"
 */

const DIVERGING = "blue_orange";

/** @type {Viewport["how"][]} */
const WAYS = ["side", "wipe", "blink"];

/** @typedef {{ figure: HTMLElement, caption: HTMLElement, lens: MapLens, scale: ScaleBar, readout: MapReadout }} Figure */

/**
 * A list of maps with its letter.
 * @param {string} letter
 * @param {HTMLSelectElement} select
 */
const side = (letter, select) => el("span", { class: "compare-side" }, el("span", { "aria-hidden": "true" }, letter), select);

/**
 * A map with its name, its scale and what is under the crosshair.
 * @param {string} name
 * @returns {Figure}
 */
function makeFigure(name) {
  const scale = el("scale-bar");
  const lens = el("map-lens", { ondrawn: ({ detail }) => scale.show(detail) });
  const readout = el("map-readout");
  const caption = el("figcaption", {});
  const figure = el("figure", { class: `compared compared-${name}` }, caption, el("div", { class: "well map-well has-map" }, lens), scale, readout);
  return { figure, caption, lens, scale, readout };
}

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

/** Two maps, or a map and the picture: side by side with their difference, under a line that is moved, or one in place of the other. */
export class MapCompare extends View {
  /** @type {HTMLHeadingElement} */ heading;
  /** @type {HTMLSelectElement[]} */ selects;
  /** @type {HTMLInputElement[]} */ ways;
  /** The picture, A, B and their difference. @type {Figure[]} */ figures;
  /** @type {OverlaidMaps} */ overlaid;
  /** @type {HTMLParagraphElement} */ says;
  /** @type {HTMLDListElement} */ numbers;
  /** @type {HTMLParagraphElement} */ note;
  /** @type {HTMLDialogElement} */ dialog;

  #order = 0;
  #shown = "";
  /** @type {Promise<void> | undefined} */
  #measuring; // the numbers and the difference of what is shown
  /** @type {{ panels: [Panel, Panel], difference: Panel, own: Settings, says: string } | null} */
  #compared = null;

  build() {
    this.selects = ["a", "b"].map((name, index) => el("select", { "aria-label": t(`compare.${name}`), onchange: () => this.choose(index) }));
    this.figures = ["picture", "a", "b", "difference"].map(makeFigure);
    this.overlaid = el("overlaid-maps");
    this.heading = el("h2", { class: "question", id: "compare-title" });
    this.says = el("p", { class: "compare-says" });
    this.numbers = el("dl", { class: "agreement" });
    this.note = el("p", { class: "small muted" });
    this.ways = WAYS.map((way) => el("input", { type: "radio", name: "compare-how", value: way, onchange: () => setViewport({ how: way }) }));
    const saves = /** @type {const} */ (["png", "svg"]).map((kind) => el("button", { type: "button", class: "button", title: t(`compare.${kind}.long`), onclick: () => this.save(kind) }, t(`compare.${kind}`)));
    this.dialog = el("dialog", { class: "viewer compare", "aria-labelledby": "compare-title", onclose: () => this.closed() },
      el("header", { class: "viewer-head" }, el("div", {}, this.heading),
        el("copy-link"), ...saves, iconButton("close", t("viewer.close"), { onclick: () => this.dialog.close() })),
      el("div", { class: "compare-bar" },
        el("div", { class: "compare-sides" }, side("A", this.selects[0]), iconButton("swap", t("compare.swap"), { onclick: () => this.swap() }), side("B", this.selects[1])),
        el("fieldset", { class: "segments" }, el("legend", { class: "unseen" }, t("compare.how")),
          ...this.ways.map((input) => el("label", { class: "segment", title: t(`compare.how.${input.value}.long`) }, input, el("span", {}, t(`compare.how.${input.value}`)))))),
      el("div", { class: "comparison" }, this.overlaid, ...this.figures.map(({ figure }) => figure)),
      el("div", { role: "status" }, this.says), this.numbers, this.note, statusLine());
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["viewport", "panels", "rendering", "inputs", "models", "methods"], () => this.follow(), signal);
    store.watchPanels((id) => store.state.viewport.compare?.includes(id) && this.follow(), signal);
  }

  follow() {
    const panels = sides();
    if (!panels) {
      this.#shown = "";
      if (this.dialog.open) this.dialog.close();
      return;
    }
    if (!this.dialog.open) this.open();
    const { viewport: { compare, how }, rendering: { reduction, percentile } } = store.state;
    // Titles too: names of models, methods and classes may come after the maps.
    const shown = [...(compare ?? []), how, reduction, percentile, ...panels.map(({ raw, done }) => (raw ? "raw" : done)), ...panels.map(sideTitle)].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.offer(panels);
    this.showSides(panels, how);
    this.#measuring = this.measure(panels);
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

  /** @param {[Panel, Panel]} panels */
  offer(panels) {
    const all = drawable();
    this.selects.forEach((select, index) => {
      const other = panels[1 - index];
      const maps = all.map((panel) => el("option", { value: panel.id }, panelName(panel)));
      refill(select, ...maps, ...(other.picture ? [] : [el("option", { value: PICTURE }, t("compare.picture"))]));
      select.value = panels[index].id;
    });
  }

  /** @param {number} index */
  choose(index) {
    const compare = [...(store.state.viewport.compare ?? [])];
    compare[index] = this.selects[index].value;
    setViewport({ compare });
  }

  swap() {
    setViewport({ compare: [...(store.state.viewport.compare ?? [])].reverse() });
  }

  /**
   * @param {[Panel, Panel]} panels
   * @param {Viewport["how"]} how
   */
  showSides(panels, how) {
    const titles = panels.map(sideTitle);
    const [map] = panels.filter(({ picture }) => !picture);
    this.heading.textContent = t(panels.some(({ picture }) => picture) ? "compare.title.picture" : "compare.title");
    this.dialog.dataset.how = how;
    for (const input of this.ways) input.checked = input.value === how;
    const beside = how === "side";
    this.overlaid.hidden = beside;
    const [picture, a, b, difference] = this.figures;
    // Where the picture is one of the two, it need not stand beside them.
    picture.figure.hidden = beside && panels.some((panel) => panel.picture);
    a.figure.hidden = b.figure.hidden = !beside;
    difference.figure.hidden = !beside || panels.some((panel) => panel.picture);
    this.show(picture, pictureOf(map), t("compare.picture"));
    if (beside) panels.forEach((panel, index) => this.show([a, b][index], panel, `${"AB"[index]}: ${titles[index]}`));
    else this.overlaid.show(panels, titles, inputOf(panels[0])?.size);
  }

  /**
   * @param {Figure} figure
   * @param {Panel} panel
   * @param {string} title
   */
  show({ lens, caption, scale, readout }, panel, title) {
    const size = inputOf(panel)?.size;
    if (size) /** @type {HTMLElement} */ (lens.parentElement).style.aspectRatio = `${size[1]} / ${size[0]}`;
    caption.textContent = title;
    lens.canvas.setAttribute("aria-label", title);
    lens.setPanel(panel, t("panel.look", { panel: title }));
    scale.hidden = readout.hidden = Boolean(panel.picture);
    if (!panel.picture) readout.setLens(lens);
  }

  /** @param {[Panel, Panel]} panels */
  async measure(panels) {
    const { rendering } = store.state;
    this.#order += 1;
    const order = this.#order;
    this.#compared = null;
    const whole = !panels.some(({ picture }) => picture);
    this.numbers.hidden = this.note.hidden = !whole;
    if (!whole) {
      this.says.textContent = t("compare.says.picture");
      return;
    }
    const [a, b] = panels.map((panel) => comparable(panel, rendering));
    const result = await compareMaps(a, b);
    if (order !== this.#order || !store.state.viewport.compare) return;
    this.showDifference(panels, result);
    this.says.textContent = sentence(result, rendering);
    this.numbers.replaceChildren(...numberNodes(result, rendering));
    this.note.textContent = t("compare.note", { percentile: rendering.percentile, pixels: result.pixels });
  }

  /**
   * @param {[Panel, Panel]} panels
   * @param {Comparison} result
   */
  showDifference(panels, result) {
    const { shape, values, first } = result;
    const grid = panels[first ? 0 : 1]; // the one with fewer pixels: the difference is on its grid
    const { rendering } = store.state;
    // Read as signed values, all of them: the two were clipped already.
    const own = /** @type {Settings} */ ({ ...rendering, reduction: "sum", palettes: { ...rendering.palettes, signed: DIVERGING }, percentile: 100, scale: "own", show: "map", top: 100 });
    const figure = this.figures[3];
    figure.lens.own = own;
    const difference = { ...grid, id: "difference", difference: true, raw: { shape, values }, partial: null };
    this.show(figure, difference, t("compare.difference"));
    this.#compared = { panels, difference, own, says: sentence(result, rendering) };
  }

  /**
   * Saves picture, both maps and their difference as one figure.
   * @param {"png" | "svg"} kind
   */
  async save(kind) {
    const panels = sides();
    if (!panels) return;
    const { saveComparison } = await import("../export/comparison-figure.js");
    await this.#measuring;
    const { difference = null, own = null, says = this.says.textContent ?? "" } = this.#compared ?? {};
    const name = await saveComparison(kind, { panels, titles: panels.map(sideTitle), difference, own, says });
    announce(t("export.saved", { name }));
  }
}
