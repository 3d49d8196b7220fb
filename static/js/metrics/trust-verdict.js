import { el } from "../shared/dom.js";
import { findingNode } from "../shared/finding.js";
import { t } from "../shared/texts.js";
import { store } from "../state/store.js";
import { metrics, metricTitle } from "./metric-list.js";

/** @import { Finding, MeasurementBody } from "../api/types.js" */

/** @typedef {Finding & { metric: string }} Found */

const LEVELS = ["support", "doubt", "note"];

/** @param {string} url */
const meaning = (url) => el("a", { class: "small", href: url, target: "_blank", rel: "noopener" }, t("trust.means"));

/**
 * A finding with the classes that it names in the page's language, where that is known.
 * @param {Finding} finding
 */
const named = ({ values, ...rest }) => ({ ...rest, values: Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [key, store.state.classNames[value] ?? value])) });

/**
 * The findings by what they say: a sentence of two metrics stands once.
 * @param {Found[]} found
 */
function bySentence(found) {
  /** @type {Map<string, { node: Node, of: Found[] }>} */
  const sentences = new Map();
  for (const finding of found) {
    const node = findingNode(finding);
    const said = sentences.get(node.textContent) ?? { node, of: [] };
    if (said.of.every(({ metric }) => metric !== finding.metric)) said.of.push(finding);
    sentences.set(node.textContent, said);
  }
  return [...sentences.values()];
}

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
    const findings = done.flatMap(({ metric, findings: found }) => found.map((finding) => ({ ...named(finding), metric })));
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
   * @param {Found[]} found
   * @param {(metric: string) => void} visit
   */
  group(level, found, visit) {
    return el("div", { class: `trust-group ${level}` },
      el("h4", {}, t(`trust.level.${level}`)),
      el("ul", {}, ...bySentence(found).map(({ node, of }) => el("li", {},
        node, " ",
        el("span", { class: "trust-sources" }, ...of.flatMap(({ metric, url }) => [
          el("button", { type: "button", class: "link", onclick: () => visit(metric) }, metricTitle(metric)),
          meaning(url),
        ]))))));
  }
}
