// A picture small enough to be kept in the browser's storage.

import { contextOf } from "../shared/dom.js";
import { loadImage } from "../shared/load-image.js";

const SIDE = 112;
const MAX_CHARACTERS = 8000; // of the data: URL
const QUALITIES = [0.7, 0.5, 0.3];

/**
 * The largest centred square of a picture as a small data: URL; null if the picture cannot be read or the URL is too long.
 * @param {string} url
 */
export async function thumbnailOf(url) {
  try {
    const image = await loadImage(url);
    const { naturalWidth: width, naturalHeight: height } = image;
    const side = Math.min(width, height);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    const context = contextOf(canvas);
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#fff"; // white behind transparent pixels, which JPEG does not have
    context.fillRect(0, 0, SIDE, SIDE);
    context.drawImage(image, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
    return QUALITIES.map((quality) => canvas.toDataURL("image/jpeg", quality)).find((dataUrl) => dataUrl.length <= MAX_CHARACTERS) ?? null;
  } catch {
    return null;
  }
}
