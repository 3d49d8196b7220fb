// The base of what hangs on a button: opened by it, closed by Escape, by a click beside, or when the button moves away.

const EDGE = 8; // pixels between the popup and the edge of the window

export class Popup extends HTMLElement {
  /** @type {HTMLButtonElement} */ button;
  /** @type {number} */ top;

  #open = new AbortController();

  connectedCallback() {
    if (this.popover) return;
    this.popover = "auto";
    this.classList.add("menu");
    this.addEventListener("beforetoggle", ({ newState }) => (newState === "open" ? this.opening() : this.#open.abort()));
    this.addEventListener("toggle", ({ newState }) => newState === "open" && this.shown());
  }

  disconnectedCallback() {
    this.#open.abort();
  }

  /**
   * The nodes that it holds now.
   * @returns {(Node | string)[]}
   */
  content() { return []; }

  opened() {}

  shown() {
    this.fit();
    this.opened();
  }

  /** Where it has too little room on its side of the button, it covers the button rather than hide its end. */
  fit() {
    const height = Math.min(innerHeight - 2 * EDGE, this.scrollHeight + this.offsetHeight - this.clientHeight);
    if (this.scrollHeight <= this.clientHeight + 1 || height <= this.offsetHeight) return;
    const { top } = this.getBoundingClientRect();
    Object.assign(this.style, { top: `${Math.max(EDGE, Math.min(top, innerHeight - EDGE - height))}px`, bottom: "auto", maxHeight: `${height}px` });
  }

  opening() {
    this.replaceChildren(...this.content());
    this.place();
    this.#open = new AbortController();
    const { signal } = this.#open;
    // A scroll that brought the button into view may be reported after the menu opened: it has not moved since.
    const moved = () => Math.abs(this.button.getBoundingClientRect().top - this.top) > 4;
    addEventListener("scroll", () => moved() && this.hidePopover(), { capture: true, passive: true, signal });
    addEventListener("resize", () => this.hidePopover(), { signal });
  }

  /**
   * Closes the popup and runs an action. The focus goes to the button, or to the grid's heading if the button is gone.
   * @param {() => void} run
   */
  closeAndRun(run) {
    this.hidePopover();
    run();
    const { activeElement } = document;
    if (activeElement && activeElement !== document.body) return;
    const back = this.button.isConnected ? this.button : /** @type {HTMLElement | null} */ (document.querySelector("panel-grid .question"));
    back?.focus({ preventScroll: true });
  }

  /**
   * Ties the popup to its button; the browser then opens and closes it.
   * @param {HTMLButtonElement} button
   * @param {string} label
   */
  attachTo(button, label) {
    this.button = button;
    button.popoverTargetElement = this;
    button.setAttribute("aria-haspopup", this.getAttribute("role") ?? "dialog");
    if (!this.hasAttribute("role")) this.setAttribute("role", "dialog");
    this.setAttribute("aria-label", label);
  }

  place() {
    const button = this.button.getBoundingClientRect();
    const width = Number.parseFloat(getComputedStyle(this).width) || 280;
    this.top = button.top;
    const left = Math.max(EDGE, Math.min(button.right - width, innerWidth - width - EDGE));
    const below = innerHeight - button.bottom;
    const downwards = below >= 320 || below >= button.top;
    Object.assign(this.style, {
      left: `${left}px`,
      top: downwards ? `${button.bottom + 4}px` : "auto",
      bottom: downwards ? "auto" : `${innerHeight - button.top + 4}px`,
      maxHeight: `${(downwards ? below : button.top) - 4 - EDGE}px`,
    });
  }
}
