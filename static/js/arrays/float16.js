// Converts float16 (IEEE 754 half precision) to float32.

const Float16 = /** @type {any} */ (globalThis).Float16Array; // not in every browser yet

/**
 * The value of each of the 65536 bit patterns; filled at first use.
 * @type {Float32Array | null}
 */
let valueTable = null;

/**
 * The value of one float16.
 * @param {number} bits
 */
function valueOf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Values of many float16s, looked up in a table: the fastest way without Float16Array.
 * @param {Uint16Array} uint16
 */
export function halves(uint16) {
  const values = (valueTable ??= Float32Array.from({ length: 65536 }, (_, bits) => valueOf(bits)));
  return Float32Array.from(uint16, (bits) => values[bits]);
}

/**
 * Reads `length` little-endian float16s of `buffer` from byte `offset` on, and multiplies them by `scale`.
 * @param {ArrayBuffer} buffer
 * @param {number} offset
 * @param {number} length
 * @param {number} scale
 */
export function decodeFloat16(buffer, offset, length, scale) {
  // A copy, since the values of an .npy file may start at an odd byte, where a typed array cannot.
  const bytes = buffer.slice(offset, offset + 2 * length);
  const values = Float16
    ? new Float32Array(new Float16(bytes))
    : halves(new Uint16Array(bytes));
  if (scale !== 1) for (let i = 0; i < values.length; i += 1) values[i] *= scale;
  return values;
}
