import { t } from "../shared/texts.js";
import { Popup } from "../widgets/popup.js";

/** What the tool bar has no room for, behind its «More»; in a sheet it stands in the open. */
export class MoreTools extends Popup {
  /** Its controls stay the same ones. */
  content() {
    return [...this.childNodes];
  }

  /** @param {HTMLButtonElement} button */
  attachMore(button) {
    this.setAttribute("role", "group");
    this.attachTo(button, t("reading.more.title"));
    button.removeAttribute("aria-haspopup"); // no dialog: a part of the bar, unfolded
  }
}
