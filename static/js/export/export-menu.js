import * as api from "../api/client.js";
import { hideMethod, showMethod } from "../controller/layout.js";
import { el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { methodTitle } from "../state/methods.js";
import { methodsOf, shownMethods } from "../state/rows.js";
import { store } from "../state/store.js";
import { Popup } from "../widgets/popup.js";
import { copy } from "./clipboard.js";
import { gridFile } from "./file-names.js";
import { ZOOMS, zoomButton } from "./panel-items.js";

/**
 * What it works with: the record of the explanation, and the functions that save and copy it.
 * @typedef {[import("../api/types.js").Explanation, typeof import("./export.js")]} Means
 */

/** Ways to save or copy the whole grid. */
export class ExportMenu extends Popup {
  /** @type {HTMLParagraphElement} */ status;

  /** @type {Promise<Means> | null} */
  #means = null;

  content() {
    const id = store.state.id ?? "";
    this.status = el("p", { class: "small menu-status", role: "status" });
    // Fetched now: browsers allow a copy only right after the click, so there is no time to fetch then.
    const means = Promise.all([api.explanation(id), import("./export.js")]);
    means.catch((error) => this.showStatus(error.message));
    this.#means = means;
    return [
      el("h3", {}, t("export.grid")),
      el("div", { class: "menu-row", role: "group", "aria-label": t("export.grid.png") }, el("span", {}, t("export.grid.png")),
        ...ZOOMS.map((zoom) => zoomButton(zoom, t("export.grid.png.long", { zoom }), () => this.save("png", zoom)))),
      this.item("export.grid.svg", () => this.save("svg"), "export.grid.svg.long"),
      ...this.methods(),
      el("h3", {}, t("export.everything")),
      el("a", { class: "menu-item", download: true, href: api.archiveUrl(id) }, t("export.archive"), el("span", { class: "muted" }, t("export.archive.long"))),
      el("h3", {}, t("export.ask")),
      this.item("export.curl", () => this.copyRequest("curl")),
      this.item("export.python", () => this.copyRequest("python")),
      this.status,
    ];
  }

  /** Which methods a figure shows: as in the grid, where one that is unticked is hidden. One always stays. */
  methods() {
    const methods = methodsOf(store.state);
    if (methods.length < 2) return [];
    const shown = shownMethods(store.state);
    const boxes = methods.map((method) => {
      const box = el("input", { type: "checkbox", onchange: () => (box.checked ? showMethod(method) : hideMethod(method), settle()) });
      box.checked = shown.includes(method);
      return box;
    });
    const settle = () => {
      const ticked = boxes.filter(({ checked }) => checked);
      for (const box of boxes) box.disabled = ticked.length === 1 && box.checked;
    };
    settle();
    return [el("div", { class: "menu-checks", role: "group", "aria-label": t("export.methods") }, el("span", { class: "muted" }, t("export.methods")),
      ...boxes.map((box, index) => el("label", {}, box, methodTitle(methods[index]))))];
  }

  /**
   * @param {string} key
   * @param {() => void} run
   * @param {string | null} more
   */
  item(key, run, more = null) {
    return el("button", { type: "button", class: "menu-item", onclick: run }, t(key), more ? el("span", { class: "muted" }, t(more)) : null);
  }

  /** @param {string} text */
  showStatus(text) {
    this.status.textContent = text;
    this.status.scrollIntoView({ block: "nearest" });
  }

  /**
   * Runs what may fail, and shows how it went.
   * @param {(means: Means) => Promise<string>} work
   */
  async run(work) {
    try {
      const means = await this.#means;
      const message = means && (await work(means));
      if (message) this.showStatus(message);
    } catch (error) {
      this.showStatus(t("export.failed", { reason: error.message }));
    }
  }

  /**
   * @param {"png" | "svg"} kind
   * @param {number} [zoom]
   */
  save(kind, zoom) {
    const name = gridFile(store.state, kind, zoom);
    return this.run(async ([record, { saveGrid, saveGridSvg }]) => {
      await (kind === "svg" ? saveGridSvg(record) : saveGrid(record, zoom));
      return t("export.saved", { name });
    });
  }

  /** @param {"curl" | "python"} language */
  copyRequest(language) {
    return this.run(async ([record, { requestText }]) => ((await copy(requestText(record, language))) ? t(`export.copied.${language}`) : ""));
  }
}
