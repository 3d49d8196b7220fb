// The colours of what a model saw, read from the picture that is shown already.

const read = new WeakMap(); // image element -> {url, width, data}

/** [red, green, blue] of the input's pixel at a fraction of it; null until the picture is here. */
export function colourAt(image, [u, v]) {
  const { src: url, naturalWidth: width, naturalHeight: height } = image;
  if (!image.complete || !width || u < 0 || v < 0 || u >= 1 || v >= 1) return null;
  if (read.get(image)?.url !== url) {
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    read.set(image, { url, width, data: context.getImageData(0, 0, width, height).data });
  }
  const { data } = read.get(image);
  const start = 4 * (Math.floor(v * height) * width + Math.floor(u * width));
  return [...data.subarray(start, start + 3)];
}
