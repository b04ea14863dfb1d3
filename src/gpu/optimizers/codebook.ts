/**
 * The values that 8-bit state can have, relative to the largest of its block: bitsandbytes' "dynamic" map. Seven
 * decades, each with twice as many evenly spaced values as the one below, then 0 and 1.
 */

/** 256 ascending values; with `isSigned` also negative ones, and half as many to a decade. */
export function codebook(isSigned: boolean): Float32Array<ArrayBuffer> {
  const { fround } = Math;
  const values = [0, 1];
  for (let decade = 0; decade < 7; decade++) {
    const count = 2 ** (isSigned ? decade : decade + 1);
    const scale = fround(10 ** (decade - 6));
    // Edges as torch.linspace rounds them: from both ends, once each.
    const step = fround(fround(1 - fround(0.1)) / count);
    const edge = (i: number): number => fround(i <= count / 2 ? fround(0.1) + step * i : 1 - step * (count - i));
    for (let i = 0; i < count; i++) {
      const value = fround(scale * fround(fround(edge(i) + edge(i + 1)) / 2));
      values.push(value);
      if (isSigned) values.push(-value);
    }
  }
  return Float32Array.from(values).sort();
}
