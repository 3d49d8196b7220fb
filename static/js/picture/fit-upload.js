// Makes a picture that the server would refuse for its size small enough, before it is sent. Others go as they are.

import { loadImage } from "../shared/load-image.js";

const MIN_CHECKED_BYTES = 2 ** 20; // smaller files are sent unchecked: they hardly have too many pixels
const LIMIT_SHARE = 0.98; // of the server's limits: the rest is for rounding, and for the form around the file
const QUALITY = 0.95;

/** @type {WeakMap<File, { width: number, height: number }>} */
const originals = new WeakMap();

/**
 * The size that a file's picture had before it was scaled down; undefined where it was not.
 * @param {unknown} file
 */
export const originalSize = (file) => (file instanceof File ? originals.get(file) : undefined);

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
  if (file.size < MIN_CHECKED_BYTES) return file;
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
  if (scale === 1 && file.size <= bytes) return file;
  const canvas = new OffscreenCanvas(Math.max(1, Math.floor(scale * width)), Math.max(1, Math.floor(scale * height)));
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "white"; // as the server does with what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  const small = new File([blob], file.name, { type: "image/jpeg" });
  originals.set(small, { width, height });
  return small;
}
