import { el } from "../shared/dom.js";
import { textOr } from "../shared/texts.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";
import { addSamples } from "./pictures.js";

/** @import { SampleBody } from "../api/types.js" */

/**
 * The address of a sample's thumbnail. A sample that has no thumbnail is shown itself.
 * @param {SampleBody} sample
 */
const thumbnailUrl = (sample) => new URL(`../../samples/thumbs/${encodeURIComponent(sample.id)}.jpg`, import.meta.url);

/** The sample pictures as a list of buttons; each adds its picture. */
export class SampleList extends View {
  /** @type {HTMLUListElement} */ list;

  build() {
    this.list = el("ul", { class: "samples" });
    this.append(this.list);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["samples"], ({ samples }) => this.show(samples ?? []), signal);
  }

  /** @param {SampleBody[]} samples */
  show(samples) {
    this.list.replaceChildren(...samples.map((sample) => {
      const image = el("img", { loading: "lazy", src: thumbnailUrl(sample), alt: "", width: 84, height: 84 });
      image.addEventListener("error", () => { image.src = sample.url; }, { once: true });
      const credit = [sample.credit, sample.licence].filter(Boolean).join(", ");
      return el("li", {}, el("button", { type: "button", class: "sample", title: credit, onclick: () => addSamples([sample]) }, image, el("span", {}, textOr(`learn.sample.${sample.id}`, sample.title))));
    }));
  }
}
