import { refreshModels } from "../models/model-list.js";
import { chooseLayer } from "../parameters/parameters.js";
import { draw, limitOf } from "../rendering/draw.js";
import { statusLine, announce } from "../shared/announce.js";
import { el, focused, iconButton } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { openLayers } from "../state/actions.js";
import { methodTitle } from "../state/methods.js";
import { className, modelOf, modelTitle } from "../state/models.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { mapAtLayer, mapsOf } from "./map-at-layer.js";
import { drawnSize, stagesOf } from "./stages.js";

/**
 * @import { LayerBody } from "../api/types.js"
 * @import { RawArray } from "../rendering/types.js"
 * @import { Panel } from "../state/types.js"
 * @import { Stage } from "./stages.js"
 */

/** @typedef {{ stage: Stage, canvas: HTMLCanvasElement, well: HTMLElement, message: HTMLElement }} Drawn */

/** The network's stages, from the picture to the class. Each shows the method's map at its layer on request; a press on one computes the grid's map there. */
export class LayerDialog extends View {
  /** @type {HTMLHeadingElement} */ heading;
  /** @type {HTMLParagraphElement} */ context;
  /** @type {HTMLOListElement} */ list;
  /** @type {HTMLButtonElement} */ allButton;
  /** @type {HTMLParagraphElement} */ progress;
  /** @type {HTMLDivElement} */ other;
  /** @type {HTMLDialogElement} */ dialog;
  /** @type {HTMLElement | null} */ opener;
  /** @type {Drawn[]} */ drawn = [];

  #controller = new AbortController();

  build() {
    this.heading = el("h2", { class: "question", id: "layers-title" });
    this.context = el("p", { class: "small muted" });
    this.list = el("ol", { class: "stages", tabindex: "0", role: "list", "aria-labelledby": "layers-title" });
    this.allButton = el("button", { type: "button", class: "button", onclick: () => this.toggleAll() });
    this.progress = el("p", { class: "small muted" });
    this.other = el("div", { class: "other-layer" });
    this.dialog = el("dialog", { class: "ask-dialog layers", "aria-labelledby": "layers-title", onclose: () => this.closed(), onclick: ({ target }) => target === this.dialog && this.dialog.close() },
      el("div", { class: "title-row" }, el("div", {}, this.heading, this.context), iconButton("close", t("layers.close"), { onclick: () => this.dialog.close() })),
      el("p", { class: "small" }, t("layers.what")), this.list,
      el("div", { class: "layer-actions" }, this.allButton, this.progress, this.other), statusLine());
    this.append(this.dialog);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["layersOf"], () => this.follow(), signal);
    store.watch(["rendering", "palettes"], () => this.paintAll(), signal);
    store.watch(["models", "methods", "inputs"], () => this.panel && this.tellPanel(this.panel), signal);
  }

  get panel() {
    return store.panel(store.state.layersOf);
  }

  async follow() {
    const { panel } = this;
    if (!panel) return this.dialog.close();
    if (!this.dialog.open) this.opener = focused();
    this.tellPanel(panel);
    this.show(panel);
    this.dialog.showModal();
    if (modelOf(panel.model)?.layers) return undefined;
    await refreshModels(); // a model tells its layers once it was loaded
    return this.panel && this.show(this.panel);
  }

  /**
   * Model, method and class.
   * @param {Panel} panel
   */
  tellPanel({ model, method, target }) {
    this.heading.textContent = t("layers.title", { model: modelTitle(model) });
    this.context.textContent = [methodTitle(method), target && className(target)].filter(Boolean).join(" · ");
  }

  /** @param {Panel} panel */
  show(panel) {
    const layers = modelOf(panel.model)?.layers ?? [];
    const stages = stagesOf(layers);
    const used = panel.record?.diagnostics.layer;
    this.drawn = stages.map((stage) => ({ stage, canvas: el("canvas", { "aria-hidden": "true" }), well: el("div", { class: "well stage-map" }), message: el("p", { class: "small muted", hidden: true }) }));
    this.list.replaceChildren(...this.drawn.map((drawn) => this.stageNode(drawn, stages, used)));
    this.progress.textContent = stages.length ? "" : t(layers.length ? "layer.absent" : "layer.unknown");
    this.labelAllButton(false);
    this.showOther(panel, used);
    this.paintAll();
  }

  /**
   * @param {Drawn} drawn
   * @param {Stage[]} stages
   * @param {string | undefined} used
   */
  stageNode({ stage, canvas, well, message }, stages, used) {
    const { layer, layers, height, width } = stage;
    const shown = layers.find(({ name }) => name === used) ?? layer;
    const isUsed = shown.name === used;
    const { side, depth } = drawnSize(stage, stages);
    const block = el("span", { class: "block", "aria-hidden": "true" });
    block.style.setProperty("--side", side.toFixed(3));
    block.style.setProperty("--depth", depth.toFixed(3));
    well.append(canvas, message);
    const size = t("layers.size", { height, width, channels: shown.shape[0] });
    const button = el("button", { type: "button", class: "stage-choice", "aria-pressed": String(isUsed), onclick: () => this.choose(shown) },
      el("span", { class: "block-place" }, block), el("span", { class: "stage-name" }, shown.name), el("span", { class: "small muted" }, size),
      el("span", { class: "small stage-mark" }, isUsed ? t("layers.used") : layer.default ? t("layers.default") : ""));
    return el("li", {}, button, well);
  }

  /**
   * The search for a layer that is not drawn, since another one stands for its stage.
   * @param {Panel} panel
   * @param {string | undefined} used
   */
  showOther(panel, used) {
    const search = el("layer-search", { label: t("layers.other"), class: "field", chooser: true });
    search.addEventListener("choose", ({ detail }) => this.choose({ name: detail.name, default: false }));
    search.setModel(panel.model, used);
    this.other.replaceChildren(search);
  }

  /** @param {Pick<LayerBody, "name" | "default">} layer */
  choose(layer) {
    const { panel } = this;
    this.dialog.close();
    if (panel) chooseLayer(panel, layer.default ? "auto" : layer.name);
  }

  /** @param {boolean} running */
  labelAllButton(running) {
    this.allButton.hidden = this.drawn.length === 0;
    this.allButton.textContent = running ? t("layers.cancel") : t("layers.sweep", { count: this.drawn.length });
    this.allButton.dataset.running = String(running);
  }

  toggleAll() {
    if (this.allButton.dataset.running === "true") this.#controller.abort();
    else this.fetchAll();
  }

  /** Fetches the map at each stage, from the last one back: one request after the other. */
  async fetchAll() {
    const { panel } = this;
    if (!panel) return;
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    this.labelAllButton(true);
    let done = 0;
    for (const drawn of this.drawn.toReversed()) {
      if (signal.aborted) break;
      this.progress.textContent = t("layers.progress", { done, count: this.drawn.length });
      await this.fetch(panel, drawn, signal);
      done += 1;
    }
    if (!this.dialog.open) return;
    this.labelAllButton(false);
    this.progress.textContent = t(signal.aborted ? "announce.cancelled" : "layers.done", { count: this.drawn.length });
    announce(this.progress.textContent);
  }

  /**
   * @param {Panel} panel
   * @param {Drawn} drawn
   * @param {AbortSignal} signal
   */
  async fetch(panel, drawn, signal) {
    try {
      const layer = drawn.stage.layers.find(({ name }) => name === panel.record?.diagnostics.layer) ?? drawn.stage.layer;
      this.paint(drawn, await mapAtLayer(panel, layer.name, signal));
    } catch (error) {
      if (signal.aborted) return;
      drawn.message.textContent = error.detail || error.message;
      drawn.message.hidden = false;
    }
  }

  paintAll() {
    const { panel } = this;
    if (!panel) return;
    const maps = mapsOf(panel);
    for (const drawn of this.drawn) {
      const name = drawn.stage.layers.find((layer) => maps.has(layer.name))?.name;
      if (name) this.paint(drawn, maps.get(name));
    }
  }

  /**
   * @param {Drawn} drawn
   * @param {RawArray} raw
   */
  paint({ canvas, well, message }, raw) {
    const { palettes, rendering: settings } = store.state;
    // Each map on its own scale, and all of it.
    const rendering = /** @type {typeof settings} */ ({ ...settings, scale: "own", show: "map" });
    if (!draw(canvas, { raw }, { rendering, palettes }, limitOf({ raw }, { rendering, panels: [] }))) return;
    well.classList.add("has-map");
    message.hidden = true;
  }

  closed() {
    this.#controller.abort();
    openLayers(null);
    if (this.opener?.isConnected) this.opener.focus();
  }
}
