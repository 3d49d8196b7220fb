import { draw } from "../draw.js";
import { el, iconButton } from "../dom.js";
import { factNodes, factsOf } from "../facts.js";
import { hairline, setHairline } from "../hairline.js";
import { isFinal } from "../panels.js";
import { methodOf, titleOf } from "../methods.js";
import { store } from "../store.js";
import { t } from "../texts.js";
import { View } from "./view.js";

/** One map of the grid: title and year, the map, its facts, its scale. */
export class MapPanel extends View {
  #frame = 0;

  build() {
    this.name = el("span");
    this.year = el("span", { class: "muted" });
    this.more = iconButton("more", "");
    this.menu = el("panel-menu");
    this.seen = el("img", { class: "seen", alt: "", hidden: true });
    this.canvas = el("canvas", { class: "map", role: "img", hidden: true });
    this.words = el("div", { class: "panel-words" });
    this.hairline = hairline();
    this.square = el("div", { class: "well map-well", onclick: () => this.open() }, this.seen, this.canvas, this.words, this.hairline);
    this.facts = el("p", { class: "facts" });
    this.scale = el("scale-bar");
    this.append(el("header", { class: "panel-head" }, el("h3", { class: "panel-title" }, this.name, " ", this.year), this.more, this.menu), this.square, this.scale, this.facts);
  }

  listen(signal) {
    store.addEventListener("panel", ({ detail }) => detail === this.panel?.id && this.render(), { signal });
    store.watch(["reading", "palettes"], () => this.redraw(), signal);
    store.watch(["inputs", "methods"], () => this.render(), signal);
  }

  /** Takes another panel to show; the element itself stays, so nothing on the page moves. */
  take(panel) {
    this.panel = panel;
    if (this.isConnected) this.render();
  }

  render() {
    const { panel } = this;
    if (!panel) return;
    const method = titleOf(panel.method);
    this.dataset.status = panel.status;
    this.name.textContent = method;
    this.year.textContent = methodOf(panel.method)?.year ?? "";
    this.more.setAttribute("aria-label", t("panel.more", { method }));
    this.more.title = this.more.getAttribute("aria-label");
    this.more.disabled = !isFinal(panel);
    this.menu.serve(this.more, panel);
    const label = panel.target?.label;
    this.canvas.setAttribute("aria-label", label ? t("panel.mapFor", { method, label }) : t("panel.map", { method }));
    this.showSeen();
    this.showProgress(method);
    this.showWords();
    this.showFacts();
    this.redraw();
  }

  showSeen() {
    const { url, size } = store.state.inputs.get(this.panel.model) ?? {};
    if (size) this.square.style.aspectRatio = `${size[1]} / ${size[0]}`;
    if (url && this.seen.getAttribute("src") !== url) this.seen.src = url;
    if (!url) this.seen.removeAttribute("src");
  }

  showProgress(method) {
    const { status, done, total } = this.panel;
    const running = status === "running" && total;
    this.hairline.hidden = !running;
    if (running) setHairline(this.hairline, this.panel, t("panel.progress", { done, total, method }));
  }

  /** What stands in the square instead of a map. */
  showWords() {
    const { status, problem, estimate, raw } = this.panel;
    const empty = !estimate && !raw;
    const words = [];
    if (problem) {
      words.push(el("strong", {}, status === "refused" || status === "failed" ? t(`panel.${status}`) : (problem.title ?? t("panel.failed"))));
      words.push(el("p", {}, problem.detail || problem.title || ""));
      if (problem.again) words.push(el("button", { type: "button", class: "button", onclick: problem.again }, t("panel.retry")));
    } else if (empty && (status === "cancelled" || status === "waiting")) {
      words.push(el("p", { class: "muted" }, t(`panel.${status}`)));
    }
    this.words.replaceChildren(...words);
    this.words.hidden = words.length === 0;
    this.words.classList.toggle("is-problem", Boolean(problem));
  }

  showFacts() {
    const { status, record, done, total } = this.panel;
    let facts = [];
    if (status === "done" && record) facts = factsOf(record);
    else if (status === "running" && total) facts = [{ text: t("panel.step", { done, total }) }];
    else if (status === "cancelled" && total) facts = [{ text: t("panel.cancelledAt", { done, total }) }];
    this.facts.replaceChildren(...factNodes(facts));
  }

  /** Drawn with the next frame, once, however many reasons there were. */
  redraw() {
    if (this.#frame || !this.panel) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      const scale = draw(this.canvas, this.panel, store.state);
      this.canvas.hidden = !scale;
      this.seen.hidden = !scale;
      this.square.classList.toggle("has-map", Boolean(scale));
      this.scale.show(scale);
    });
  }

  open() {
    if (this.panel.raw || this.panel.estimate) store.set({ viewing: this.panel.id });
  }
}
