/**
 * 8-bit floats as PyTorch's float8_e4m3fn has them: 4 bits of exponent, 3 of mantissa, up to 448, no infinities. What is
 * larger becomes 448.
 */
import { floatFromHalf } from "./half.ts";

const largest = 448;

let table: Uint8Array | undefined;

/** Patterns of all f16 patterns, rounded to nearest, ties to even. */
function fromHalves(): Uint8Array {
  if (table !== undefined) return table;
  table = new Uint8Array(65536);
  for (let half = 0; half < 32768; half++) {
    const code = codeOf(floatFromHalf(half));
    table[half] = code;
    table[half | 0x8000] = code | 0x80;
  }
  return table;
}

/** @param value not negative */
function codeOf(value: number): number {
  const magnitude = Math.min(value, largest);
  const exponent = Math.max(-6, Math.floor(Math.log2(magnitude)));
  const scaled = magnitude / 2 ** (exponent - 3);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const mantissa = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // A carry out of the mantissa moves to the exponent; below 2^-6 the leading bit is 0 and the code is the mantissa.
  return (exponent + 6) * 8 + mantissa;
}

/** e4m3 patterns of f16 patterns. */
export function float8FromHalves(halves: Uint16Array): Uint8Array<ArrayBuffer> {
  const codes = fromHalves();
  const result = new Uint8Array(halves.length);
  for (let i = 0; i < halves.length; i++) result[i] = codes[halves[i]!]!;
  return result;
}
