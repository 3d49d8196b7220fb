// A mask from a picture file: what is brighter than half is inside, as the command line has it.

import { maskOf } from "../arrays/mask.js";
import { contextOf, el } from "../shared/dom.js";
import { t } from "../shared/texts.js";
import { inputOf } from "../state/models.js";
import { store } from "../state/store.js";
import { cropOf, currentPanel } from "../viewport/viewport.js";

const MOST_PIXELS = 4_000_000;
const MOST_RUNS = 20_000; // of a mask; what is more scattered is no region
const SLACK = 0.01; // by which the shape of a mask of the picture's may differ from that of the picture

/**
 * Why a file is no mask, as the page tells problems.
 * @param {string} code - of the text
 * @param {Record<string, any>} values
 */
const problemOf = (code, values = {}) => Object.assign(new Error(t(code, values)), { title: t("mask.refused"), detail: t(code, values) });

/**
 * What of the original a mask of this size covers: what the model saw, where it has the size of its input; else all of
 * the picture, where it has its shape.
 * @param {number} width
 * @param {number} height
 */
function placeOf(width, height) {
  const { picture } = store.state;
  const panel = currentPanel();
  const [high, wide] = (panel && inputOf(panel)?.size) ?? [0, 0];
  const whole = picture?.width && picture.height ? [0, 0, picture.width, picture.height] : null;
  const same = whole && width === whole[2] && height === whole[3];
  if (panel && !same && width === wide && height === high) return cropOf(panel);
  if (whole && Math.abs((width * whole[3]) / (height * whole[2]) - 1) <= SLACK) return whole;
  throw problemOf("mask.refused.size", { width, height, wide, high, across: whole?.[2] ?? 0, down: whole?.[3] ?? 0 });
}

/**
 * The mask in a file. Throws what the page tells as a problem, for a file that is no picture, or none that fits.
 * @param {File} file
 */
export async function maskFromFile(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" }).catch(() => null);
  if (!bitmap) throw problemOf("mask.refused.file", { name: file.name });
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) throw problemOf("mask.refused.large", { width, height });
  const place = placeOf(width, height);
  const context = contextOf(Object.assign(el("canvas"), { width, height }), { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  // ITU-R 601 with 16 bits after the point, rounded, as Pillow makes grey of colours.
  const cells = Uint8Array.from({ length: width * height }, (_, i) => Number((data[4 * i] * 19595 + data[4 * i + 1] * 38470 + data[4 * i + 2] * 7471 + 0x8000) >> 16 > 127));
  const mask = maskOf({ width, height, place }, cells);
  if (!mask) throw problemOf("mask.refused.empty");
  if (mask.runs.length > MOST_RUNS) throw problemOf("mask.refused.scattered");
  return mask;
}
