/**
 * 16-bit floats as bit patterns. All roundings are to nearest, ties to even; values beyond the f16 range (65504)
 * become infinities, which callers can count with `countInfinities`.
 */

/** f16 bits of an f32 given by its bits. */
export function halfFromFloatBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000) {
    // From 65536 on: infinity, or a NaN that stays a (quiet) NaN.
    return magnitude > 0x7f800000 ? sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff) : sign | 0x7c00;
  }
  if (magnitude < 0x38800000) {
    // Below 2^-14 the result is subnormal: a multiple of 2^-24.
    if (magnitude < 0x33000000) return sign;
    const mantissa = (magnitude & 0x7fffff) | 0x800000;
    const shift = 126 - (magnitude >>> 23);
    const kept = mantissa >>> shift;
    const rest = mantissa & ((1 << shift) - 1);
    const tie = 1 << (shift - 1);
    return sign | (kept + (rest > tie || (rest === tie && (kept & 1) === 1) ? 1 : 0));
  }
  // Normal: rebias the exponent; a carry out of the mantissa moves to the exponent and, at the top, to infinity.
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** f16 bits of every element. `source` and `target` have the same length. */
export function halvesFromFloats(source: Float32Array, target = new Uint16Array(source.length)): typeof target {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) target[i] = halfFromFloatBits(bits[i]!);
  return target;
}

let halfTable: Float32Array | undefined;

/** The value of every one of the 65536 f16 bit patterns. */
function halfValues(): Float32Array {
  if (halfTable) return halfTable;
  halfTable = new Float32Array(65536);
  for (let h = 0; h < 65536; h++) {
    const exponent = (h >>> 10) & 31;
    const mantissa = h & 1023;
    const magnitude =
      exponent === 0
        ? mantissa * 2 ** -24
        : exponent === 31
          ? mantissa === 0
            ? Infinity
            : NaN
          : (1024 + mantissa) * 2 ** (exponent - 25);
    halfTable[h] = h & 0x8000 ? -magnitude : magnitude;
  }
  return halfTable;
}

/** The value of one f16 bit pattern (exact). */
export function floatFromHalf(half: number): number {
  return halfValues()[half & 0xffff]!;
}

/** The values of f16 bit patterns (exact). */
export function floatsFromHalves(source: Uint16Array, target = new Float32Array(source.length)): typeof target {
  const table = halfValues();
  for (let i = 0; i < source.length; i++) target[i] = table[source[i]!]!;
  return target;
}

/** How many f16 patterns are ±infinity: after a conversion of finite values, how many overflowed. */
export function countInfinities(halves: Uint16Array): number {
  let count = 0;
  for (const half of halves) if ((half & 0x7fff) === 0x7c00) count++;
  return count;
}

/** The values of bf16 bit patterns (exact: bf16 is the upper half of an f32). */
export function floatsFromBfloats(source: Uint16Array, target = new Float32Array(source.length)): typeof target {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
  return target;
}

/** bf16 bits of every element; NaNs stay NaNs. */
export function bfloatsFromFloats(source: Float32Array, target = new Uint16Array(source.length)): typeof target {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!;
    target[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return target;
}
