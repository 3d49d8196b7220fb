import { explainAgain } from "../controller/controller.js";
import { el, refill } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { askedModel, modelOf, sizeText } from "../state/models.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";

const FITS = ["crop", "pad", "squash"];
const SIZE = /^\d{1,4}(\s*[x×]\s*\d{1,4})?$/i;

/** How the picture is brought to the model: the way it is fitted, and the size. Empty is the model's own. */
export class InputFields extends View {
  /** @type {HTMLSelectElement} */ fit;
  /** @type {HTMLInputElement} */ size;
  /** @type {HTMLParagraphElement} */ message;

  build() {
    this.fit = el("select", { title: t("input.fit.long"), onchange: () => explainAgain({ fit: this.fit.value || null }) });
    this.size = el("input", {
      type: "text", inputmode: "text", autocomplete: "off", spellcheck: "false", title: t("input.size.long"), "aria-describedby": "input-size-message",
      onchange: () => this.ask(), onkeydown: ({ key }) => key === "Escape" && this.show(), oninput: () => this.showProblem(""),
    });
    this.message = el("p", { id: "input-size-message", class: "small search-message", role: "alert", hidden: true });
    this.append(
      el("label", { class: "field" }, el("span", { class: "field-label" }, t("input.fit")), this.fit),
      el("label", { class: "field" }, el("span", { class: "field-label" }, t("input.size")), this.size),
      this.message,
    );
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["models", "ask", "layout", "row", "notice"], () => this.show(), signal);
  }

  ask() {
    const text = this.size.value.trim();
    if (text && !SIZE.test(text)) return this.showProblem(t("input.size.form"));
    return explainAgain({ size: text.replaceAll(/\s/g, "").replace(/[x×]/i, "x") || null });
  }

  show() {
    const { ask, notice } = store.state;
    const model = modelOf(askedModel());
    refill(this.fit, ...FITS.map((fit) => (fit === model?.fit
      ? el("option", { value: "" }, t("input.fit.own", { fit: t(`fit.${fit}`) }))
      : el("option", { value: fit }, t(`fit.${fit}`)))));
    this.fit.value = ask.fit === model?.fit ? "" : (ask.fit ?? "");
    this.size.placeholder = model ? sizeText(model.input_size) : "";
    // A size that was refused stays, so that it can be corrected; the server's message is below the form.
    const refused = notice?.place === "ask" && notice.problem.fields?.includes("size");
    if (!refused) this.size.value = ask.size ?? "";
    this.showProblem("");
    if (refused) this.size.setAttribute("aria-invalid", "true");
  }

  /** @param {string} text */
  showProblem(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
    if (text) this.size.setAttribute("aria-invalid", "true");
    else this.size.removeAttribute("aria-invalid");
  }
}
