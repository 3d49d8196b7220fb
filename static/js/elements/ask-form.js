import { el, iconButton } from "../dom.js";
import { explainAgain } from "../session.js";
import { store } from "../store.js";
import { t } from "../texts.js";
import { View } from "./view.js";

const SCORES = ["logit", "log_probability", "probability"];

const field = (label, control) => el("label", { class: "field" }, el("span", { class: "field-label" }, label), control);

/** The question: which class, against which, by which model and score. A choice asks at once. */
export class AskForm extends View {
  build() {
    this.target = el("class-search", { label: t("ask.class"), class: "field" });
    this.against = el("class-search", { label: t("ask.against"), placeholder: t("ask.against.placeholder"), class: "field" });
    this.noAgainst = iconButton("close", t("ask.against.clear"), { hidden: true, class: "icon-button clear-against" });
    this.model = el("select");
    this.score = el("select", {}, ...SCORES.map((score) => el("option", { value: score }, t(`ask.score.${score}`))));
    this.append(this.target, el("div", { class: "against" }, this.against, this.noAgainst),
      el("div", { class: "field-pair" }, field(t("ask.model"), this.model), field(t("ask.score"), this.score)));

    this.target.addEventListener("choose", ({ detail }) => explainAgain({ target: detail }));
    this.against.addEventListener("choose", ({ detail }) => explainAgain({ against: detail, score: "logit" }));
    this.noAgainst.addEventListener("click", () => {
      explainAgain({ against: null });
      this.against.input.focus();
    });
    this.model.addEventListener("change", () => explainAgain({ model: this.model.value }));
    this.score.addEventListener("change", () => explainAgain({ score: this.score.value }));
  }

  listen(signal) {
    store.watch(["models"], ({ models }) => this.offer(models), signal);
    store.watch(["ask", "inputs", "models"], () => this.show(), signal);
  }

  offer(models) {
    this.model.replaceChildren(...(models?.models ?? []).map(({ id, title, availability }) => el("option",
      { value: id, disabled: availability !== "ready" },
      availability === "ready" ? title : t(`ask.model.${availability}`, { title }))));
  }

  show() {
    const { ask, inputs, models } = store.state;
    const model = ask.model ?? models?.default;
    const { classes: count = "" } = models?.models.find(({ id }) => id === model) ?? {};
    this.target.chosen = ask.target ?? inputs.get(model)?.predictions[0] ?? null;
    this.target.placeholder = t("ask.class.placeholder", { count });
    this.against.chosen = ask.against;
    this.noAgainst.hidden = !ask.against;
    if (model) this.model.value = model;
    this.score.value = ask.score;
    // The contract: a second class goes with logits only.
    this.score.disabled = Boolean(ask.against);
    this.score.title = ask.against ? t("ask.score.against") : "";
  }
}
