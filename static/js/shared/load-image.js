// An image by its address, decoded.

/** @param {string} url */
export async function loadImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}
