import { el } from "../shared/dom.js";

const SOON_MS = 250; // that a pointer has to rest
const LATER_MS = 200; // for the way from the words to their help
const EDGE = 8; // pixels between the help and the edge of the window
const GAP = 4;

/** @param {EventTarget | null} target */
const helpedBy = (target) => (target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest("[data-help]")) : null);

/** The help text of what has one (shared/help.js): one at a time, by hover, focus and touch; Escape closes it. */
export class HelpTip extends HTMLElement {
  /** @type {HTMLElement | null} */ owner = null;

  #timer = 0;

  connectedCallback() {
    if (this.popover) return;
    this.popover = "manual";
    this.setAttribute("role", "tooltip");
    // Whoever points at the help itself may read it, and copy from it.
    this.addEventListener("pointerenter", () => clearTimeout(this.#timer));
    this.addEventListener("pointerleave", () => this.later(null));
  }

  listen() {
    addEventListener("pointerover", ({ target, pointerType }) => pointerType !== "touch" && this.later(helpedBy(target)));
    addEventListener("focusin", ({ target }) => this.focused(helpedBy(target)));
    addEventListener("focusout", () => this.show(null));
    addEventListener("click", (event) => this.pressed(event), { capture: true });
    addEventListener("keydown", (event) => this.key(event), { capture: true });
    addEventListener("resize", () => this.show(null));
    addEventListener("scroll", ({ target }) => target !== this && this.show(null), { capture: true, passive: true });
  }

  /**
   * Shows the help of another element, or none, once the pointer has rested.
   * @param {HTMLElement | null} owner
   */
  later(owner) {
    if (this.matches(":hover")) return;
    clearTimeout(this.#timer);
    if (owner !== this.owner) this.#timer = setTimeout(() => this.show(owner), owner ? SOON_MS : LATER_MS);
  }

  /** @param {HTMLElement | null} owner */
  focused(owner) {
    if (owner?.matches(":focus-visible, :has(:focus-visible)")) this.show(owner);
  }

  /**
   * A press shows the help at once. By touch the first one on a link shows what the link is about, the second follows it.
   * @param {MouseEvent} event
   */
  pressed(event) {
    const owner = helpedBy(event.target);
    if (this.contains(/** @type {Node} */ (event.target))) return;
    const touched = /** @type {PointerEvent} */ (event).pointerType === "touch";
    if (owner?.matches("a") && touched && owner !== this.owner) {
      event.preventDefault();
      this.show(owner);
    } else if (owner?.matches(".helped")) this.show(owner); // words that do nothing but show their help
    else this.show(null);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { target } = event;
    if (["Enter", " "].includes(event.key) && target instanceof HTMLElement && target.matches(".helped")) {
      event.preventDefault();
      this.show(target);
    }
    if (event.key !== "Escape" || !this.owner) return;
    // Only the help goes, not the dialog that it may lie over.
    event.preventDefault();
    event.stopPropagation();
    this.show(null);
  }

  /** @param {HTMLElement | null} owner */
  show(owner) {
    clearTimeout(this.#timer);
    this.owner = owner?.isConnected ? owner : null;
    if (!this.owner) {
      if (this.matches(":popover-open")) this.hidePopover();
      return;
    }
    // In a modal dialog only what is within it can be pointed at.
    const place = this.owner.closest("dialog") ?? document.body;
    if (this.parentElement !== place) place.append(this);
    this.textContent = this.owner.dataset.help ?? "";
    this.showPopover();
    this.place(this.owner.getBoundingClientRect());
  }

  /** @param {DOMRect} at */
  place(at) {
    const { width, height } = this.getBoundingClientRect();
    const below = at.bottom + GAP + height <= innerHeight || at.top < height + GAP;
    this.style.left = `${Math.max(EDGE, Math.min(at.left, innerWidth - width - EDGE))}px`;
    this.style.top = `${below ? at.bottom + GAP : at.top - GAP - height}px`;
  }
}

/** Begins to show help texts on this page. */
export function offerHelp() {
  customElements.define("help-tip", HelpTip);
  const tip = el("help-tip");
  document.body.append(tip);
  tip.listen();
}
