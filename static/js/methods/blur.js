// A Gaussian blur as app/attribution/methods/blur.py has it: truncated at 4σ, and zero beyond the border.

const TRUNCATE = 4;

/** @param {number} sigma */
function kernel(sigma) {
  const radius = Math.floor(TRUNCATE * sigma + 0.5);
  const weights = Float64Array.from({ length: radius + 1 }, (_, distance) => Math.exp(-0.5 * (distance / sigma) ** 2));
  const sum = weights.reduce((total, weight) => total + weight, 0) * 2 - weights[0];
  return weights.map((weight) => weight / sum);
}

/**
 * Blurs along rows of `width` values, and writes the result transposed: a second call blurs the
 * columns, and transposes back.
 * @param {Float32Array} values
 * @param {number} width
 * @param {number} height
 * @param {Float64Array} weights
 */
function pass(values, width, height, weights) {
  const result = new Float32Array(values.length);
  const reach = Math.min(weights.length - 1, width - 1);
  for (let row = 0; row < height; row += 1) {
    const start = row * width;
    for (let column = 0; column < width; column += 1) {
      let total = values[start + column] * weights[0];
      for (let distance = 1; distance <= reach; distance += 1) {
        const weight = weights[distance];
        if (column >= distance) total += values[start + column - distance] * weight;
        if (column + distance < width) total += values[start + column + distance] * weight;
      }
      result[column * height + row] = total;
    }
  }
  return result;
}

/**
 * One channel, row by row, blurred with a standard deviation of `sigma` pixels.
 * @param {Float32Array} values
 * @param {number} width
 * @param {number} height
 * @param {number} sigma
 */
export function blur(values, width, height, sigma) {
  if (sigma === 0) return Float32Array.from(values);
  const weights = kernel(sigma);
  return pass(pass(values, width, height, weights), height, width, weights);
}

/**
 * The same for the colours of an ImageData; returns another one.
 * @param {ImageData} image
 * @param {number} sigma
 */
export function blurred(image, sigma) {
  const { width, height, data } = image;
  const result = new ImageData(width, height);
  for (let channel = 0; channel < 3; channel += 1) {
    const values = Float32Array.from({ length: width * height }, (_, i) => data[4 * i + channel]);
    blur(values, width, height, sigma).forEach((value, i) => { result.data[4 * i + channel] = value; });
  }
  for (let i = 3; i < result.data.length; i += 4) result.data[i] = 255;
  return result;
}
