import { el } from "../dom.js";
import { valueText } from "../facts.js";
import { panelItems } from "../keep/panel-items.js";
import { methodOf, titleOf } from "../methods.js";
import { chooseLayer } from "../session.js";
import { store } from "../store.js";
import { t } from "../texts.js";

const WIDTH = 280;
const EDGE = 8;

const definitions = (entries) => el("dl", {}, ...entries.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

function valuesOf({ shape, statistics = {}, diagnostics = {} }) {
  const entries = [];
  if (shape) entries.push([t("value.shape"), valueText(shape)]);
  for (const name of ["min", "max", "sum"]) if (name in statistics) entries.push([t(`value.${name}`), valueText(statistics[name])]);
  const path = diagnostics.completeness ?? {};
  for (const name of ["expected", "attributed", "relative_error"]) if (Number.isFinite(path[name])) entries.push([t(`value.${name}`), valueText(path[name])]);
  return entries;
}

/** The "⋯" of a panel: what it was computed with, and ways to take it along. */
export class PanelMenu extends HTMLElement {
  connectedCallback() {
    if (this.popover) return;
    this.popover = "auto";
    this.className = "menu";
    this.addEventListener("beforetoggle", ({ newState }) => newState === "open" && this.fill());
    // The menu hangs on its button; when that moves away, it goes. (A scroll that brought the button
    // into view may be reported after the menu opened: the button has not moved since.)
    const moved = () => this.matches(":popover-open") && Math.abs(this.button.getBoundingClientRect().top - this.top) > 4;
    addEventListener("scroll", () => moved() && this.hidePopover(), { capture: true, passive: true });
    addEventListener("resize", () => this.hidePopover());
  }

  fill() {
    const { record, method } = this.panel;
    this.replaceChildren(
      el("button", { type: "button", class: "menu-item", onclick: () => this.openViewer() }, t("panel.fullscreen")),
      ...(record?.urls?.npy ? this.downloads(record) : []),
      ...(methodOf(method)?.parameters?.properties?.layer ? [this.layer(record)] : []),
      ...(record ? this.details(record) : []),
      ...this.about(methodOf(method)),
    );
    this.place();
  }

  downloads(record) {
    return panelItems(this.panel, record);
  }

  /** Methods that look into the network do so at a layer, which may be another. */
  layer(record) {
    const search = el("layer-search", { label: t("panel.layer.title"), class: "field", chooser: true });
    search.addEventListener("choose", ({ detail }) => {
      this.hidePopover();
      this.button.focus();
      chooseLayer(this.panel, detail.name);
    });
    search.serve(this.panel.model, record?.diagnostics.layer ?? record?.parameters.layer);
    return search;
  }

  details(record) {
    const parameters = Object.entries(record.parameters ?? {}).map(([name, value]) => [name.replaceAll("_", " "), valueText(value)]);
    const values = valuesOf(record);
    return [
      el("h4", {}, t("panel.parameters")),
      parameters.length ? definitions(parameters) : el("p", { class: "small muted" }, t("panel.noParameters")),
      ...(values.length ? [el("h4", {}, t("panel.values")), definitions(values)] : []),
    ];
  }

  about(method) {
    if (!method) return [];
    const { summary, paper } = method;
    return [
      el("p", { class: "small muted" }, summary),
      paper?.url ? el("a", { class: "small", href: paper.url, target: "_blank", rel: "noopener noreferrer" }, paper.title || t("panel.paper")) : null,
    ].filter(Boolean);
  }

  openViewer() {
    this.hidePopover();
    store.set({ viewing: this.panel.id });
  }

  place() {
    const button = this.button.getBoundingClientRect();
    this.top = button.top;
    const left = Math.max(EDGE, Math.min(button.right - WIDTH, innerWidth - WIDTH - EDGE));
    const below = innerHeight - button.bottom;
    const downwards = below >= 320 || below >= button.top;
    Object.assign(this.style, {
      left: `${left}px`,
      top: downwards ? `${button.bottom + 4}px` : "auto",
      bottom: downwards ? "auto" : `${innerHeight - button.top + 4}px`,
      maxHeight: `${(downwards ? below : button.top) - 4 - EDGE}px`,
    });
  }

  /** Ties the menu to the button that opens it; the browser then handles Escape and a click beside. */
  serve(button, panel) {
    this.button = button;
    this.panel = panel;
    button.popoverTargetElement = this;
    button.setAttribute("aria-haspopup", "dialog");
    this.setAttribute("role", "dialog");
    this.setAttribute("aria-label", t("panel.more", { method: titleOf(panel.method) }));
  }
}
