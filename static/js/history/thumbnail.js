// A picture small enough to be kept in the browser's storage.

import { contextOf } from "../shared/dom.js";
import { loadImage } from "../shared/load-image.js";

const SIDE = 112;
const MOST = 8000; // characters of the address
const QUALITIES = [0.7, 0.5, 0.3];

/**
 * The middle square as a data: address; null where the picture cannot be read or stays too large.
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
    context.fillStyle = "#fff"; // a picture with holes: JPEG has none
    context.fillRect(0, 0, SIDE, SIDE);
    context.drawImage(image, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
    return QUALITIES.map((quality) => canvas.toDataURL("image/jpeg", quality)).find((address) => address.length <= MOST) ?? null;
  } catch {
    return null;
  }
}
