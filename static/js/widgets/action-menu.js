import { el } from "../shared/dom.js";
import { Popup } from "./popup.js";

/** A menu of actions (ARIA's menu): {text, run} or {text, href}; null entries are left out. */
export class ActionMenu extends Popup {
  constructor() {
    super();
    this.addEventListener("keydown", (event) => this.key(event));
  }

  connectedCallback() {
    this.setAttribute("role", "menu");
    super.connectedCallback();
  }

  /** `actions` is asked each time the menu opens. */
  serve(button, label, actions) {
    this.actions = actions;
    this.hang(button, label);
  }

  content() {
    return this.actions().filter(Boolean).map(({ text, run, href }) => (href
      ? el("a", { class: "menu-item", role: "menuitem", tabindex: "-1", href }, text)
      : el("button", { type: "button", class: "menu-item", role: "menuitem", tabindex: "-1", onclick: () => this.act(run) }, text)));
  }

  opened() {
    this.firstElementChild?.focus();
  }

  key(event) {
    const items = [...this.children];
    const place = items.indexOf(document.activeElement);
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === "Tab") this.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    items[(to + items.length) % items.length]?.focus();
  }
}
