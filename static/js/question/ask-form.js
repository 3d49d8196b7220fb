import { explainAgain } from "../controller/controller.js";
import { askModel, askTarget } from "../controller/layout.js";
import { dismiss, offer } from "../models/downloads.js";
import { licenceText } from "../models/licence.js";
import { el, iconButton, refill } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { askedModel, askedTarget, modelOf } from "../state/models.js";
import { optionsAt, QUALITIES, qualityOf, STANDARD } from "../state/quality.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";

/**
 * @import { ModelBody } from "../api/types.js"
 * @import { ModelPicker } from "../models/model-picker.js"
 * @import { WeightsDownload } from "../models/weights-download.js"
 * @import { Download } from "../state/types.js"
 * @import { ClassSearch } from "./class-search.js"
 */

const SCORES = ["logit", "log_probability", "probability"];

const MAX_SEED = Number.MAX_SAFE_INTEGER;

/**
 * @param {string} label
 * @param {Node} control
 */
const field = (label, control) => el("label", { class: "field" }, el("span", { class: "field-label" }, label), control);

/** The question: which class, against which, by which model and score. A choice asks at once. */
export class AskForm extends View {
  /** @type {ClassSearch} */ target;
  /** @type {ClassSearch} */ against;
  /** @type {HTMLButtonElement} */ noAgainst;
  /** @type {ModelPicker} */ model;
  /** @type {HTMLParagraphElement} */ about;
  /** @type {HTMLDivElement} */ downloads;
  /** @type {HTMLSelectElement} */ score;
  /** @type {HTMLInputElement} */ seed;
  /** @type {HTMLSelectElement} */ quality;
  /** @type {HTMLOptionElement} */ ownQuality;

  build() {
    this.target = el("class-search", { label: t("ask.class"), class: "field" });
    this.against = el("class-search", { label: t("ask.against"), placeholder: t("ask.against.placeholder"), class: "field" });
    this.noAgainst = iconButton("close", t("ask.against.clear"), { hidden: true, class: "icon-button clear-against" });
    this.model = el("model-picker", { label: t("ask.model"), class: "field", dropdown: true });
    this.about = el("p", { class: "small muted model-about" });
    this.downloads = el("div", { class: "downloads" });
    this.score = el("select", {}, ...SCORES.map((score) => el("option", { value: score }, t(`ask.score.${score}`))));
    this.seed = el("input", {
      type: "number", class: "seed", min: "0", max: String(MAX_SEED), step: "1", inputmode: "numeric", autocomplete: "off", title: t("ask.seed.long"),
      onchange: () => this.askSeed(), onkeydown: ({ key }) => key === "Escape" && this.show(),
    });
    this.ownQuality = el("option", { value: "", hidden: true }, t("ask.quality.own"));
    this.quality = el("select", { title: t("ask.quality.long"), onchange: () => explainAgain({ options: optionsAt(store.state, this.quality.value) }) },
      ...[STANDARD, ...QUALITIES].map((quality) => el("option", { value: quality, title: t(`ask.quality.${quality}.long`) }, t(`ask.quality.${quality}`))), this.ownQuality);
    this.append(this.target, el("div", { class: "against" }, this.against, this.noAgainst),
      el("div", { class: "modelled" }, this.model, field(t("ask.quality"), this.quality), this.about, this.downloads),
      el("div", { class: "settings" }, el("div", { class: "scored" }, field(t("ask.score"), this.score), field(t("ask.seed"), this.seed)), el("input-fields")));

    this.target.addEventListener("choose", ({ detail: { index, label } }) => askTarget({ index, label }));
    this.against.addEventListener("choose", ({ detail: { index, label } }) => explainAgain({ against: { index, label }, score: "logit" }));
    this.noAgainst.addEventListener("click", () => {
      explainAgain({ against: null });
      this.against.input.focus();
    });
    this.model.addEventListener("choose", (event) => this.chooseModel(event));
    this.score.addEventListener("change", () => explainAgain({ score: this.score.value }));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["ask", "layout", "row", "inputs", "models", "methods"], () => this.show(), signal);
    store.watch(["downloads"], ({ downloads }) => this.arrange(downloads), signal);
  }

  /**
   * A model whose weights are not here is not asked yet: first it is said what a download would fetch.
   * @param {CustomEvent<ModelBody>} event
   */
  chooseModel(event) {
    const { id, availability } = event.detail;
    if (availability === "downloadable") {
      event.preventDefault();
      offer(id);
    } else {
      dismiss();
      askModel(id);
    }
  }

  /** An empty field means seed 0, the default; an invalid one goes back to the seed that was asked. */
  askSeed() {
    const { seed } = store.state.ask;
    const asked = this.seed.validity.valid ? Number(this.seed.value) : seed;
    this.seed.value = String(asked);
    if (asked !== seed) explainAgain({ seed: asked });
  }

  show() {
    const { ask } = store.state;
    const id = askedModel();
    const model = modelOf(id);
    this.target.chosen = askedTarget();
    this.target.placeholder = t("ask.class.placeholder", { count: model?.classes ?? "" });
    this.against.chosen = ask.against;
    this.noAgainst.hidden = !ask.against;
    this.model.value = id;
    refill(this.about, ...this.modelLinks(model));
    this.score.value = ask.score;
    this.seed.value = String(ask.seed);
    const quality = qualityOf(store.state);
    this.ownQuality.hidden = quality !== null;
    this.quality.value = quality ?? "";
    // The contract: a second class goes with logits only.
    this.score.disabled = Boolean(ask.against);
    this.score.title = ask.against ? t("ask.score.against") : "";
  }

  /**
   * Licence and paper of the model that is asked.
   * @param {ModelBody | undefined} model
   */
  modelLinks(model) {
    if (!model) return [];
    const { licence, paper, url } = model;
    const link = paper ?? (url ? { title: t("model.source"), url } : null);
    if (!link) return [licenceText(licence)];
    return [el("span", {}, licenceText(licence)), el("a", { href: link.url, title: link.title, target: "_blank", rel: "noopener noreferrer" }, link.title)];
  }

  /**
   * One element for every download; it stays while its state changes.
   * @param {Download[]} downloads
   */
  arrange(downloads) {
    const old = new Map(/** @type {WeightsDownload[]} */ ([...this.downloads.children]).map((child) => [child.entry.model, child]));
    const hadFocus = this.downloads.contains(document.activeElement);
    for (const entry of downloads) {
      const child = old.get(entry.model) ?? el("weights-download");
      old.delete(entry.model);
      child.setDownload(entry);
      if (child.isConnected) continue;
      this.downloads.append(child);
      child.scrollIntoView({ block: "nearest" });
    }
    for (const child of old.values()) child.remove();
    if (hadFocus && !this.downloads.contains(document.activeElement)) this.model.input.focus();
  }
}
