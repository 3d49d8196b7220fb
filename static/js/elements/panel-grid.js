import { el } from "../dom.js";
import * as format from "../format.js";
import { isFinal } from "../panels.js";
import { askedModel, modelTitle, shownInput } from "../models.js";
import { addMethod, cancel, explainAgain } from "../session.js";
import { store } from "../store.js";
import { t } from "../texts.js";
import { View } from "./view.js";

/** The maps, with the question above them and the state of the answer. */
export class PanelGrid extends View {
  build() {
    this.question = el("h2", { class: "question", tabindex: "-1" });
    this.context = el("p", { class: "small muted context" });
    this.state = el("span", { class: "small muted tally" });
    this.cancel = el("button", { type: "button", class: "button", onclick: cancel }, t("grid.cancel"));
    this.rest = el("button", { type: "button", class: "button", onclick: () => explainAgain() }, t("grid.rest"));
    this.add = el("select", { class: "add-method", "aria-label": t("grid.add"), onchange: () => this.addChosen() });
    this.row = el("div", { class: "panels" });
    this.append(
      el("header", { class: "grid-head" },
        el("div", { class: "grid-title" }, this.question, this.context),
        el("div", { class: "grid-actions" }, this.state, this.cancel, this.rest, this.add, el("copy-link"), el("export-menu"))),
      el("problem-notice", { place: "grid" }),
      this.row,
    );
  }

  listen(signal) {
    store.watch(["panels"], ({ panels }) => this.arrange(panels), signal);
    store.watch(["panels", "phase", "ask", "inputs", "models", "methods", "seconds", "notice"], () => this.head(), signal);
    store.addEventListener("panel", () => this.tally(), { signal });
  }

  /** As many elements as panels; those that exist take the new panel. */
  arrange(panels) {
    while (this.row.children.length > panels.length) this.row.lastChild.remove();
    while (this.row.children.length < panels.length) this.row.append(el("map-panel"));
    panels.forEach((panel, place) => this.row.children[place].take(panel));
  }

  head() {
    const { ask, phase, notice } = store.state;
    const input = shownInput();
    const target = ask.target ?? input?.predictions[0];
    const against = ask.against?.label;
    const label = target?.label;
    this.question.textContent = label ? t(against ? "grid.whyNot" : "grid.why", { label, against }) : t("grid.top");
    const score = t(`ask.score.${ask.score}`).toLowerCase();
    const value = input?.predictions.find(({ index }) => index === target?.index)?.[ask.score];
    const valued = value === undefined || against ? score : `${score} ${format.number(value)}`;
    this.context.textContent = [modelTitle(askedModel()), valued].filter(Boolean).join(" · ");
    const running = phase === "running";
    this.cancel.hidden = !running;
    this.rest.hidden = phase !== "cancelled" || Boolean(notice?.retry);
    this.offer(phase);
    this.tally();
  }

  /** Methods that are not in the grid yet. */
  offer(phase) {
    const { methods, panels } = store.state;
    const absent = (methods ?? []).filter(({ id }) => !panels.some(({ method }) => method === id));
    this.add.hidden = phase !== "done" || absent.length === 0;
    this.add.replaceChildren(el("option", { value: "", selected: true }, `${t("grid.add")} …`),
      ...absent.map(({ id, title, year, summary }) => el("option", { value: id, title: summary }, `${title}, ${year}`)));
  }

  addChosen() {
    const { value } = this.add;
    this.add.value = "";
    if (value) addMethod(value);
  }

  tally() {
    const { panels, phase, seconds } = store.state;
    const of = panels.length;
    const done = panels.filter(isFinal).length;
    const words = {
      loading: () => t("grid.loading"),
      running: () => t("grid.progress", { done, of }),
      done: () => (seconds === null ? t("grid.progress", { done, of }) : t("grid.done", { of, seconds: format.seconds(seconds) })),
      cancelled: () => t("grid.partly", { done, of }),
    };
    this.state.textContent = words[phase]?.() ?? "";
  }
}
