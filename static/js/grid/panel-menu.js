import { panelItems } from "../export/panel-items.js";
import { chooseLayer } from "../parameters/parameters.js";
import { el } from "../shared/dom.js";
import { factNodes, factsOf, settingText, valueText } from "../shared/panel-facts.js";
import { t } from "../shared/texts.js";
import { openLayers, openMetrics, openParameters, viewPanel } from "../state/actions.js";
import { methodOf, methodTitle, parameterTitle, summaryOf } from "../state/methods.js";
import { canBeMeasured } from "../state/panels.js";
import { compareWith } from "../viewport/viewport.js";
import { Popup } from "../widgets/popup.js";
import { columnActions, hasParameters } from "./menu-actions.js";

/**
 * @import { MethodBody, PanelBody } from "../api/types.js"
 * @import { Panel } from "../state/types.js"
 * @import { Action } from "../widgets/action-menu.js"
 */

const SHOWN = ["min", "max", "sum"];

/** @param {[string, string][]} entries */
const definitions = (entries) => el("dl", {}, ...entries.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

/** @param {PanelBody} record */
function valuesOf({ shape, statistics, diagnostics }) {
  /** @type {[string, string][]} */
  const entries = [];
  if (shape) entries.push([t("value.shape"), valueText(shape)]);
  for (const [name, value] of Object.entries(statistics ?? {})) if (SHOWN.includes(name)) entries.push([t(`value.${name}`), valueText(value)]);
  const completeness = diagnostics?.completeness ?? {};
  for (const name of ["expected", "attributed", "relative_error"]) if (Number.isFinite(completeness[name])) entries.push([t(`value.${name}`), valueText(completeness[name])]);
  return entries;
}

/** The "⋯" of a panel: what it was computed with, what else can be done with it, and ways to save or copy it. */
export class PanelMenu extends Popup {
  /** @type {Panel} */ panel;

  /** @returns {(Node | string)[]} */
  content() {
    const { record, method } = this.panel;
    return [
      this.action({ text: t("panel.fullscreen"), run: () => viewPanel(this.panel.id) }),
      this.action({ text: t("panel.compare"), run: () => compareWith(this.panel) }),
      ...(canBeMeasured(this.panel) ? [this.action({ text: t("trust.open"), run: () => openMetrics(this.panel.id) })] : []),
      ...(hasParameters(method) ? [this.action({ text: t("column.parameters"), run: () => openParameters(method) })] : []),
      ...(record?.urls?.npy ? this.downloads(record) : []),
      ...(methodOf(method)?.parameters?.properties?.layer ? this.layer(record) : []),
      ...this.column(method),
      ...(record ? this.details(record) : []),
      ...this.about(methodOf(method)),
    ];
  }

  /** @param {Action} action */
  action({ text, run = () => {}, href }) {
    if (href) return el("a", { class: "menu-item", href }, text);
    return el("button", { type: "button", class: "menu-item", onclick: () => this.closeAndRun(run) }, text);
  }

  /**
   * In a table the column has a head with a menu of its own.
   * @param {string} method
   */
  column(method) {
    if (this.closest("table")) return [];
    const actions = columnActions(method).flatMap((action) => (action && action.text !== t("column.parameters") ? action : []));
    return [el("div", { class: "menu-group" }, ...actions.map((action) => this.action(action)))];
  }

  /** @param {PanelBody} record */
  downloads(record) {
    return panelItems(this.panel, record);
  }

  /**
   * For methods that use the feature maps of a layer: a field to choose another layer.
   * @param {PanelBody | null} record
   */
  layer(record) {
    const search = el("layer-search", { label: t("panel.layer.title"), class: "field", dropdown: true });
    search.addEventListener("choose", ({ detail }) => {
      this.hidePopover();
      this.button.focus();
      chooseLayer(this.panel, detail.name);
    });
    search.setModel(this.panel.model, record?.diagnostics.layer ?? record?.parameters.layer);
    return [search, ...(record?.diagnostics.layer ? [this.action({ text: t("panel.layers"), run: () => openLayers(this.panel.id) })] : [])];
  }

  /** @param {PanelBody} record */
  details(record) {
    /** @type {[string, string][]} */
    const parameters = Object.entries(record.parameters ?? {}).map(([name, value]) => [parameterTitle(name), settingText(value)]);
    const values = valuesOf(record);
    const facts = factsOf(record);
    return [
      ...(facts.length ? [el("h4", {}, t("panel.facts")), el("p", {}, ...factNodes(facts))] : []),
      el("h4", {}, t("panel.parameters")),
      parameters.length ? definitions(parameters) : el("p", { class: "small muted" }, t("panel.noParameters")),
      ...(values.length ? [el("h4", {}, t("panel.values")), definitions(values)] : []),
    ];
  }

  /**
   * @param {MethodBody | undefined} method
   * @returns {Node[]}
   */
  about(method) {
    if (!method) return [];
    const { id, paper } = method;
    return [
      el("p", { class: "small muted" }, summaryOf(id)),
      ...(paper?.url ? [el("a", { class: "small", href: paper.url, target: "_blank", rel: "noopener noreferrer" }, paper.title || t("panel.paper"))] : []),
    ];
  }

  /**
   * Ties the menu to the button that opens it.
   * @param {HTMLButtonElement} button
   * @param {Panel} panel
   */
  attachPanel(button, panel) {
    this.panel = panel;
    this.attachTo(button, t("panel.more", { method: methodTitle(panel.method) }));
  }
}
