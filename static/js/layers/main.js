// The drawing of a network's stages: its words and its element, fetched when it is first opened.

import { el } from "../shared/dom.js";
import { style } from "../shared/style-sheets.js";
import { addTexts } from "../shared/texts.js";
import { LayerDialog } from "./layer-dialog.js";

export async function begin() {
  await Promise.all([addTexts("layers"), style("layers")]);
  customElements.define("layer-dialog", LayerDialog);
  document.body.append(el("layer-dialog"));
}
