import { el, iconButton } from "../shared/dom.js";
import * as format from "../shared/format.js";
import { progressLine, setProgress } from "../shared/progress-line.js";
import { t } from "../shared/texts.js";
import { modelOf } from "../state/models.js";
import { View } from "../widgets/view.js";
import { amountOf, dismiss, download, stop, use } from "./downloads.js";
import { licenceText } from "./licence.js";

/**
 * @import { ModelBody } from "../api/types.js"
 * @import { Download } from "../state/types.js"
 */

/** @type {Record<string, (model: string) => void>} */
const ACTIONS = { offered: download, running: stop, stopped: download, failed: download, ready: use };

/** The download of one model's weights by the server: offered, running, stopped, failed, or forbidden to visitors. */
export class WeightsDownload extends View {
  /** @type {HTMLElement} */ heading;
  /** @type {HTMLParagraphElement} */ text;
  /** @type {HTMLDivElement} */ line;
  /** @type {HTMLElement} */ command;
  /** @type {HTMLButtonElement} */ copy;
  /** @type {HTMLDivElement} */ remedy;
  /** @type {HTMLButtonElement} */ action;
  /** @type {HTMLButtonElement} */ close;
  /** @type {Download} */ entry;

  build() {
    this.heading = el("strong");
    this.text = el("p", { class: "small" });
    this.line = progressLine();
    this.command = el("code");
    this.copy = el("button", { type: "button", class: "link", onclick: () => this.copyCommand() }, t("weights.copy"));
    this.remedy = el("div", { class: "command" }, this.command, this.copy);
    // One button for all states: the focus stays where it is when the state changes.
    this.action = el("button", { type: "button", class: "button", onclick: () => ACTIONS[this.entry.status](this.entry.model) });
    this.close = iconButton("close", t("problem.dismiss"), { class: "icon-button notice-close", onclick: () => dismiss(this.entry.model) });
    this.setAttribute("role", "group");
    this.append(this.heading, this.text, this.line, this.remedy, this.action, this.close);
  }

  listen() {
    if (this.entry) this.render();
  }

  /** @param {Download} entry */
  setDownload(entry) {
    this.entry = entry;
    if (this.isConnected) this.render();
  }

  render() {
    const { model: id, status, problem } = this.entry;
    const model = modelOf(id);
    if (!model) return;
    this.dataset.status = status;
    this.setAttribute("aria-label", t("weights.title", { title: model.title }));
    this.heading.textContent = problem?.title ?? model.title;
    if (problem) this.text.setAttribute("role", "alert");
    else this.text.removeAttribute("role");
    this.text.textContent = this.statusText(model) ?? "";
    this.line.hidden = status !== "running";
    setProgress(this.line, this.entry, t("weights.progress", { title: model.title }));
    this.remedy.hidden = status !== "forbidden";
    this.command.textContent = `gradoscope models pull ${id}`;
    this.action.hidden = !(status in ACTIONS);
    if (!this.action.hidden) this.action.textContent = this.actionText(model);
    this.close.hidden = status === "running";
  }

  /** @param {ModelBody} model */
  statusText({ title, licence, weights }) {
    const { status, problem } = this.entry;
    const values = { title, licence: licenceText(licence), file: weights.file, amount: amountOf(this.entry) };
    return problem ? problem.detail : t(`weights.${status}`, values);
  }

  /** @param {ModelBody} model */
  actionText({ weights }) {
    const { status } = this.entry;
    if (status !== "offered") return t(`weights.${status}.action`);
    return weights.bytes ? t("weights.download", { size: format.bytes(weights.bytes) }) : t("weights.download.plain");
  }

  async copyCommand() {
    try {
      await navigator.clipboard.writeText(this.command.textContent);
      this.copy.textContent = t("weights.copied");
    } catch {
      // Without HTTPS there is no clipboard: the text is selected for the keyboard's own copy.
      getSelection()?.selectAllChildren(this.command);
    }
  }
}
