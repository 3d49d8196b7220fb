// What a run found: each claim with whether it holds, as a word and a mark; and all its numbers.

import { svg } from "../shared/chart.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { indexed } from "./indexed.js";
import { claimText, findingText, numberTitle, valueText } from "./words.js";

/** @import { FindingBody } from "./types.js" */

/** @type {Record<FindingBody["verdict"], string>} */
const MARKS = { holds: "M3 8.5l3.5 3.5L13 4.5", fails: "M4 4l8 8M12 4l-8 8", depends: "M2.5 9.5c2-4 3.5-4 5.5-1.5s3.5 2.5 5.5-1.5" };

/** @param {FindingBody["verdict"]} verdict */
const markOf = (verdict) => svg("svg", { viewBox: "0 0 16 16", class: "verdict-mark", "aria-hidden": "true" }, svg("path", { d: MARKS[verdict] }));

/**
 * @param {Element} list
 * @param {FindingBody[]} findings
 */
export function showFindings(list, findings) {
  const items = findings.map((finding) => {
    const { text, language } = findingText(finding);
    const claim = claimText(finding.id);
    return el("li", { class: `finding-card ${finding.verdict}`, "data-finding": finding.id },
      el("p", { class: "verdict" }, markOf(finding.verdict), el("span", {}, t(`lab.page.verdict.${finding.verdict}`))),
      el("div", {}, claim ? el("p", { class: "claim" }, ...indexed(claim)) : null, el("p", { lang: language }, ...indexed(text))));
  });
  list.replaceChildren(...(items.length ? items : [el("li", { class: "muted" }, t("lab.page.findings.none"))]));
}

/**
 * The single numbers of a result; lists stand in its figures and in the JSON.
 * @param {Element} place
 * @param {Record<string, any>} numbers
 */
export function showNumbers(place, numbers) {
  const single = Object.entries(numbers).filter(([, value]) => value === null || ["number", "string"].includes(typeof value));
  place.replaceChildren(...single.map(([name, value]) => el("div", {}, el("dt", {}, ...indexed(numberTitle(name))), el("dd", {}, valueText(value)))));
}
