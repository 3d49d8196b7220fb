// The maps of two classes beside each other, guided and plain, and how far their pixels' ranks agree.
// A «way» is a class to explain, or `random`: the cat's, by a network with a random last layer.

import { assetsBeside } from "../../../js/methods/assets.js";
import { chosen, gauge, onChoice, setFactText, view } from "../../../js/methods/parts.js";
import { number } from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";

const own = assetsBeside(import.meta.url);

const KINDS = ["guided", "vanilla"];

/** @param {HTMLElement} root */
export async function start(root) {
  const [record, ...strips] = await Promise.all([own.numbers("figure"), ...KINDS.map((kind) => own.strip(kind))]);

  /**
   * @param {string} name
   * @param {number} index
   */
  function show(name, index) {
    KINDS.forEach((kind, i) => {
      strips[i].draw(view(root, `${kind}-${name}`), index);
      setFactText(root, `${kind}-${name}`, `≥ ${number(record.clips[kind][index])}`);
    });
  }

  /** @param {string} way */
  function compare(way) {
    const index = record.ways.indexOf(way);
    show("other", index);
    for (const kind of KINDS) {
      const value = record.correlations[kind][index];
      gauge(root, kind, value, t("learn.read.guided_backprop", { value: number(value) }));
    }
  }

  show("cat", record.ways.indexOf("cat"));
  compare(chosen(root));
  onChoice(root, compare);
}
