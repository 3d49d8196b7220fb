import { el } from "../shared/dom.js";
import { findingNode } from "../shared/finding.js";
import { t } from "../shared/texts.js";
import { metrics, metricTitle } from "./metric-list.js";

/** @import { Finding, MeasurementBody } from "../api/types.js" */

const LEVELS = ["support", "doubt", "note"];

/** @param {string} url */
const meaning = (url) => el("a", { class: "small", href: url, target: "_blank", rel: "noopener" }, t("trust.means"));

/** What the measured metrics say, in plain words: for the map, against it, beside it. Never one number. */
export class TrustVerdict extends HTMLElement {
  #shown = "";

  /**
   * `visit` shows the metric that a finding comes from.
   * @param {Record<string, MeasurementBody>} measured
   * @param {(metric: string) => void} visit
   */
  show(measured, visit) {
    const done = metrics().map(({ id }) => measured[id]).filter((each) => each?.status === "done");
    const findings = done.flatMap(({ metric, findings: found }) => found.map((finding) => ({ ...finding, metric })));
    const shown = JSON.stringify([done.length, findings]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const groups = LEVELS.map((level) => ({ level, found: findings.filter((finding) => finding.level === level) })).filter(({ found }) => found.length);
    this.replaceChildren(
      el("h3", { class: "section-title" }, t("trust.verdict")),
      ...groups.map(({ level, found }) => this.group(level, found, visit)),
      groups.length ? el("p", { class: "small muted" }, t("trust.verdict.limits"))
        : el("p", { class: "muted" }, t(done.length ? "trust.verdict.silent" : "trust.verdict.none")),
    );
  }

  /**
   * @param {string} level
   * @param {(Finding & { metric: string })[]} found
   * @param {(metric: string) => void} visit
   */
  group(level, found, visit) {
    return el("div", { class: `trust-group ${level}` },
      el("h4", {}, t(`trust.level.${level}`)),
      el("ul", {}, ...found.map((finding) => el("li", {},
        findingNode(finding), " ",
        el("span", { class: "trust-sources" },
          el("button", { type: "button", class: "link", onclick: () => visit(finding.metric) }, metricTitle(finding.metric)),
          meaning(finding.url))))));
  }
}
