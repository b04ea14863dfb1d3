/** An adapter's factors in the order in which adapter-delta.wgsl reads them. */
import { halvesFromFloats } from "../formats/half.ts";
import { deltaForm, type ModuleDelta } from "../lora/network-delta.ts";
import type { NetworkModule } from "../lora/network-file.ts";
import type { LayerPlace } from "./adapter-places.ts";

/** Rows of `up` are padded to what an invocation makes. */
export const rowBlock = 4;

type Layout = Pick<LayerPlace, "rows" | "taps" | "channels" | "paddedChannels">;

/** Numbers of a packed module, rounded up to whole 16 bytes in either format. */
export function packedCount(source: NetworkModule, { rows, taps, paddedChannels }: Layout): number {
  const form = deltaForm(source, taps);
  const products = form === "hadamard" ? 2 : 1;
  const count =
    typeof form === "string"
      ? products * source.rank * (paddedRows(rows) + taps * paddedChannels)
      : form.a * form.c + form.b * form.d * taps;
  return Math.ceil(count / 8) * 8;
}

export function paddedRows(rows: number): number {
  return Math.ceil(rows / rowBlock) * rowBlock;
}

/** @param half store as f16 (all values are half-precision numbers) */
export function packFactors(delta: ModuleDelta, layout: Layout, count: number, half: boolean): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  const packed = new Float32Array(count);
  if (delta.form === "product") packProducts(packed, delta, layout);
  else packKronecker(packed, delta, layout);
  return half ? halvesFromFloats(packed, new Uint16Array(count)) : packed;
}

/** up as [rank][rows], down as [rank][kernel position][channel]. */
function packProducts(packed: Float32Array, delta: Extract<ModuleDelta, { form: "product" }>, layout: Layout): void {
  const { rows, taps, channels, paddedChannels } = layout;
  const { rank, pairs } = delta;
  const height = paddedRows(rows);
  let at = 0;
  for (const { up, down } of pairs) {
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < rank; k++) packed[at + k * height + row] = up[row * rank + k]!;
    }
    at += rank * height;
    for (let k = 0; k < rank; k++) {
      for (let channel = 0; channel < channels; channel++) {
        const from = (k * channels + channel) * taps;
        const to = at + k * taps * paddedChannels + channel;
        for (let tap = 0; tap < taps; tap++) packed[to + tap * paddedChannels] = down[from + tap]!;
      }
    }
    at += rank * taps * paddedChannels;
  }
}

/** w1, then w2 as [b][kernel position][d]. */
function packKronecker(packed: Float32Array, delta: Extract<ModuleDelta, { form: "kronecker" }>, { taps }: Layout): void {
  const { w1, w2, kron } = delta;
  packed.set(w1);
  for (let b = 0; b < kron.b; b++) {
    for (let d = 0; d < kron.d; d++) {
      const from = (b * kron.d + d) * taps;
      for (let tap = 0; tap < taps; tap++) packed[w1.length + (b * taps + tap) * kron.d + d] = w2[from + tap]!;
    }
  }
}
