import { el } from "../shared/dom.js";
import { Popup } from "./popup.js";

/** @typedef {{ text: string, run?: () => void, href?: string }} Action */

/** A menu of actions (ARIA's menu): {text, run} or {text, href}; null entries are left out. */
export class ActionMenu extends Popup {
  /** @type {() => (Action | false | null)[]} */ actions;

  constructor() {
    super();
    this.addEventListener("keydown", (event) => this.key(event));
  }

  connectedCallback() {
    this.setAttribute("role", "menu");
    super.connectedCallback();
  }

  /**
   * `actions` is asked each time the menu opens.
   * @param {HTMLButtonElement} button
   * @param {string} label
   * @param {() => (Action | false | null)[]} actions
   */
  attachActions(button, label, actions) {
    this.actions = actions;
    this.attachTo(button, label);
  }

  content() {
    return this.actions().flatMap((action) => action || []).map(({ text, run = () => {}, href }) => (href
      ? el("a", { class: "menu-item", role: "menuitem", tabindex: "-1", href }, text)
      : el("button", { type: "button", class: "menu-item", role: "menuitem", tabindex: "-1", onclick: () => this.closeAndRun(run) }, text)));
  }

  opened() {
    /** @type {HTMLElement | null} */ (this.firstElementChild)?.focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const items = /** @type {HTMLElement[]} */ ([...this.children]);
    const index = items.findIndex((item) => item === document.activeElement);
    const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === "Tab") this.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    items[(to + items.length) % items.length]?.focus();
  }
}
