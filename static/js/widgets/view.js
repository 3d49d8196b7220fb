// The base of the page's elements: built once, listening only while they are on the page.

export class View extends HTMLElement {
  #alive = new AbortController();
  #built = false;

  connectedCallback() {
    this.#alive = new AbortController();
    if (!this.#built) this.build();
    this.#built = true;
    this.listen(this.#alive.signal);
  }

  disconnectedCallback() {
    this.#alive.abort();
  }

  build() {}

  /** @param {AbortSignal} signal - aborts when the element leaves the page */
  listen(signal) {}
}
