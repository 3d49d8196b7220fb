import { el, iconButton } from "../shared/dom.js";
import { duration } from "../shared/format.js";
import { t } from "../shared/texts.js";
import { dismissNotice } from "../state/actions.js";
import { store } from "../state/store.js";
import { View } from "../widgets/view.js";

/** @import { Notice } from "../state/types.js" */

/** Shows the notice that belongs to its `place`, since an error is told where it happened; with `any`, every notice. */
export class ProblemNotice extends View {
  /** @param {AbortSignal} signal */
  listen(signal) {
    store.watch(["notice"], ({ notice }) => this.show(notice), signal);
  }

  /** @param {Notice | null} notice */
  show(notice) {
    const here = notice?.place === this.getAttribute("place") || (this.hasAttribute("any") && notice);
    this.hidden = !here;
    this.replaceChildren(...(here ? this.content(notice) : []));
    if (here) this.scrollIntoView({ block: "nearest" });
  }

  /** @param {Notice} notice */
  content({ problem, name, retry, asked }) {
    // What the server itself lacks is no fault of the picture.
    const title = name && !problem.transient && problem.status < 500 ? t("problem.refused", { name }) : (problem.title ?? "");
    const { detail = "" } = problem;
    const wait = problem.retryAfter ? t("problem.retryAfter", { seconds: duration(problem.retryAfter) }) : null;
    return [
      el("div", { class: "notice", role: "alert" },
        el("strong", { lang: title === problem.title ? problem.titleLanguage : null }, title),
        detail && detail !== title ? el("p", { lang: problem.language }, detail) : null,
        asked ? el("p", {}, t("problem.kept", { asked })) : null,
        wait ? el("p", {}, `${wait}.`) : null,
        retry ? el("button", { type: "button", class: "button", onclick: retry }, t("problem.retry")) : null,
        iconButton("close", t("problem.dismiss"), { class: "icon-button notice-close", onclick: dismissNotice })),
    ];
  }
}
