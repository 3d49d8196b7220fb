// The maps of two classes beside each other, guided and plain, and how far their pixels' ranks agree.

import { numbers, Strip } from "../assets.js";
import { chosen, gauge, onChoice, tell, view } from "../parts.js";
import { number } from "../../shared/format.js";
import { t } from "../../shared/texts.js";

const KINDS = ["guided", "vanilla"];

/** @param {HTMLElement} root */
export async function start(root) {
  const [record, ...strips] = await Promise.all([numbers("guided"), ...KINDS.map((kind) => Strip.load(`guided-${kind}`))]);

  /**
   * @param {string} name
   * @param {number} place
   */
  function show(name, place) {
    KINDS.forEach((kind, i) => {
      strips[i].draw(view(root, `${kind}-${name}`), place);
      tell(root, `${kind}-${name}`, `≥ ${number(record.clips[kind][place])}`);
    });
  }

  /** @param {string} way */
  function compare(way) {
    const place = record.ways.indexOf(way);
    show("other", place);
    for (const kind of KINDS) {
      const value = record.correlations[kind][place];
      gauge(root, kind, value, t("learn.read.guided", { value: number(value) }));
    }
  }

  show("cat", record.ways.indexOf("cat"));
  compare(chosen(root));
  onChoice(root, compare);
}
