// NumPy's .npy, as far as the server writes it: little-endian float16 and float32, C order.

import { decodeFloat16 } from "./float16.js";

/** @import { RawArray } from "../rendering/types.js" */

/**
 * {shape, values}: values are float32, multiplied by `scale`.
 * @param {ArrayBuffer} buffer
 * @param {number} scale
 * @returns {RawArray}
 */
export function parseNpy(buffer, scale = 1) {
  const view = new DataView(buffer);
  if (view.byteLength < 10 || view.getUint32(0) !== 0x934e554d || view.getUint16(4) !== 0x5059) throw new Error("not an .npy array");
  const long = view.getUint8(6) > 1; // version 2 and 3 count the header's length in four bytes
  const start = long ? 12 : 10;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder("latin1").decode(new Uint8Array(buffer, start, length));
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1].split(",").filter((part) => part.trim()).map(Number);
  if (!shape || /'fortran_order':\s*True/.test(header)) throw new Error(`unsupported .npy header: ${header.trim()}`);
  const count = shape.reduce((product, side) => product * side, 1);
  const offset = start + length;
  if (descr === "<f2") return { shape, values: decodeFloat16(buffer, offset, count, scale) };
  if (descr === "<f4") return { shape, values: new Float32Array(buffer.slice(offset, offset + 4 * count)).map((value) => value * scale) };
  throw new Error(`unsupported .npy type ${descr}`);
}
