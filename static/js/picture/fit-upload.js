// Makes a picture fit before it is sent: one that the server would refuse for its size is scaled down, and one of a
// format that the server does not read, but this browser does, becomes a JPEG. Others go as they are.

import { loadImage } from "../shared/load-image.js";

const MIN_CHECKED_BYTES = 2 ** 17; // smaller files are sent unchecked: they hardly have too many pixels
const LIMIT_SHARE = 0.98; // of the server's limits: the rest is for rounding, and for the form around the file
const QUALITY = 0.95;

/** @typedef {{ width: number, height: number, scaled: boolean, format: string | null }} Original - format: null where the server reads it */

/** @type {WeakMap<File, Original>} */
const originals = new WeakMap();

/**
 * What a file was before it was made to fit; undefined where it goes as it is.
 * @param {unknown} file
 */
export const originalOf = (file) => (file instanceof File ? originals.get(file) : undefined);

/**
 * Takes note of the original of a file that was made to fit earlier, before the page was loaded.
 * @param {File} file
 * @param {Original} original
 */
export const rememberOriginal = (file, original) => originals.set(file, original);

/**
 * The size that a file's picture had before it was scaled down; undefined where it was not.
 * @param {unknown} file
 */
export function originalSize(file) {
  const original = originalOf(file);
  return original?.scaled ? { width: original.width, height: original.height } : undefined;
}

/**
 * The format of a file that the server does not read; null of others. Some systems give such files no type.
 * @param {File} file
 */
export function foreignFormat({ type, name }) {
  if (/^image\/(jpeg|png|webp|gif|bmp|avif)$/.test(type)) return null;
  if (/^image\/hei[cf]/.test(type) || /\.hei[cf]$/i.test(name)) return "HEIC";
  return null;
}

/** @returns {{ pixels: number, bytes: number }} */
function limits() {
  const { maxPixels, maxBytes } = /** @type {HTMLInputElement} */ (document.getElementById("file")).dataset;
  return { pixels: LIMIT_SHARE * Number(maxPixels), bytes: LIMIT_SHARE * Number(maxBytes) };
}

/**
 * By how much both sides have to shrink: 1 where there is room for all pixels.
 * @param {number} width
 * @param {number} height
 * @param {number} pixels
 */
export const shrinkage = (width, height, pixels) => Math.min(1, Math.sqrt(pixels / (width * height)));

/**
 * The file, or a JPEG of its picture within the server's limits.
 * @param {File} file
 * @returns {Promise<File>}
 */
export async function fitUpload(file) {
  if (file.size < MIN_CHECKED_BYTES && !foreignFormat(file)) return file;
  const url = URL.createObjectURL(file);
  try {
    return await scaled(file, await loadImage(url));
  } catch {
    return file; // no picture that this browser reads: the server says what it is
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * @param {File} file
 * @param {HTMLImageElement} image
 */
async function scaled(file, image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const { pixels, bytes } = limits();
  const scale = shrinkage(width, height, pixels);
  const format = foreignFormat(file);
  if (scale === 1 && file.size <= bytes && !format) return file;
  const canvas = new OffscreenCanvas(Math.max(1, Math.floor(scale * width)), Math.max(1, Math.floor(scale * height)));
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "white"; // as the server does with what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  const small = new File([blob], file.name, { type: "image/jpeg" });
  originals.set(small, { width, height, scaled: scale < 1 || !format, format });
  return small;
}
