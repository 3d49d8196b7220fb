// An image by its address, decoded.

export async function loadImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}
