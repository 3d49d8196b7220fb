// The numbers of Grad-CAM as a layer has them, and enlarged over the picture.

import { assetsBeside, colours, picture } from "../../../js/methods/assets.js";
import { chosen, gauge, onChoice, Slider, setFactText, view } from "../../../js/methods/parts.js";
import { contextOf } from "../../../js/shared/dom.js";
import { number } from "../../../js/shared/format.js";
import { t } from "../../../js/shared/texts.js";

const own = assetsBeside(import.meta.url);

const SIDE = 224;
const OPACITY = 0.65;

/**
 * Bilinear as PyTorch's interpolate(align_corners=False).
 * @param {ArrayLike<number>} values
 * @param {number} from
 * @param {number} to
 */
export function enlarge(values, from, to) {
  const result = new Float32Array(to * to);
  /** @param {number} i */
  const spanOf = (i) => {
    const at = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    const low = Math.floor(at);
    return [low, Math.min(low + 1, from - 1), at - low];
  };
  for (let row = 0; row < to; row += 1) {
    const [top, bottom, down] = spanOf(row);
    for (let column = 0; column < to; column += 1) {
      const [left, right, across] = spanOf(column);
      const above = values[top * from + left] * (1 - across) + values[top * from + right] * across;
      const below = values[bottom * from + left] * (1 - across) + values[bottom * from + right] * across;
      result[row * to + column] = above * (1 - down) + below * down;
    }
  }
  return result;
}

/**
 * @param {Uint8Array | Float32Array} levels
 * @param {number} side
 * @param {Uint32Array} table
 */
function coloured(levels, side, table) {
  const image = new ImageData(side, side);
  const words = new Uint32Array(image.data.buffer);
  levels.forEach((level, i) => { words[i] = table[Math.round(level)]; });
  const canvas = new OffscreenCanvas(side, side);
  /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(image, 0, 0);
  return canvas;
}

/** @param {HTMLElement} root */
export async function start(root) {
  // "seen-grid" is the sample «grid» as the model saw it, four pictures in quadrants; `shares` says how much of a map lies in
  // the quadrant of its class.
  const [record, table, seen] = await Promise.all([own.numbers("figure"), colours(), picture("seen-grid")]);
  const labels = Object.fromEntries(record.targets.map((/** @type {string} */ name) => [name, root.querySelector(`.choice input[value="${name}"] + span`)?.textContent]));
  let target = chosen(root);

  /** @param {number} index */
  function show(index) {
    const { name, channels, side } = record.layers[index];
    const { levels, most } = record.maps[target][index];
    const values = Uint8Array.from(atob(levels), (character) => character.charCodeAt(0));
    const before = contextOf(view(root, "before"));
    before.imageSmoothingEnabled = false;
    before.drawImage(coloured(values, side, table), 0, 0, SIDE, SIDE);
    const after = contextOf(view(root, "after"));
    after.globalAlpha = 1;
    after.drawImage(seen, 0, 0);
    after.globalAlpha = OPACITY;
    after.drawImage(coloured(enlarge(values, side, SIDE), SIDE, table), 0, 0);
    setFactText(root, "before", number(most));
    const share = record.shares[target][index];
    gauge(root, "share", share, t("learn.read.grad_cam.share", { share: number(share), label: labels[target] }));
    return t("learn.read.grad_cam", { layer: name, side, channels });
  }

  const slider = new Slider(root, show);
  onChoice(root, (value) => {
    target = value;
    slider.update();
  });
}
