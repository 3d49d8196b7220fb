// IEEE 754 half precision to float32.

const Float16 = /** @type {any} */ (globalThis).Float16Array; // not in every browser yet

/** @type {Float32Array | null} */
let table = null;

/** @param {number} bits */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * All 65536 values at once: one look-up each is the fastest way without Float16Array.
 * @param {Uint16Array} uint16
 */
export function halves(uint16) {
  const known = (table ??= Float32Array.from({ length: 65536 }, (_, bits) => half(bits)));
  return Float32Array.from(uint16, (bits) => known[bits]);
}

/**
 * `buffer` holds little-endian halves from `offset` on; the result is their values times `scale`.
 * @param {ArrayBuffer} buffer
 * @param {number} offset
 * @param {number} length
 * @param {number} scale
 */
export function decodeFloat16(buffer, offset, length, scale) {
  // slice: in an .npy the halves may start at any byte, a typed array must not.
  const bytes = buffer.slice(offset, offset + 2 * length);
  const values = Float16
    ? new Float32Array(new Float16(bytes))
    : halves(new Uint16Array(bytes));
  if (scale !== 1) for (let i = 0; i < values.length; i += 1) values[i] *= scale;
  return values;
}
