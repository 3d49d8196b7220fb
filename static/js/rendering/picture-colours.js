// The colours of what a model saw, read from the picture that is shown already.

/** @type {WeakMap<HTMLImageElement, { url: string, width: number, data: Uint8ClampedArray }>} */
const read = new WeakMap();

/**
 * [red, green, blue] of the input's pixel at a fraction of it; null until the picture is here.
 * @param {HTMLImageElement} image
 * @param {number[]} place
 * @returns {number[] | null}
 */
export function colourAt(image, [u, v]) {
  const { src: url, naturalWidth: width, naturalHeight: height } = image;
  if (!image.complete || !width || u < 0 || v < 0 || u >= 1 || v >= 1) return null;
  let known = read.get(image);
  if (known?.url !== url) {
    const canvas = new OffscreenCanvas(width, height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
    context.drawImage(image, 0, 0);
    known = { url, width, data: context.getImageData(0, 0, width, height).data };
    read.set(image, known);
  }
  const start = 4 * (Math.floor(v * height) * width + Math.floor(u * width));
  return [...known.data.subarray(start, start + 3)];
}
