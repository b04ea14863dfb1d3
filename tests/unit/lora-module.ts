/** Modules of a standard LoRA, said by their sizes. */
import type { LoraModule } from "../../src/lora/file.ts";

interface Fields {
  readonly name: string;
  readonly down: Float32Array;
  readonly up: Float32Array;
  readonly alpha: number;
  readonly rank: number;
  readonly in: number;
  readonly out: number;
  readonly fileRank: 2 | 4;
  readonly kernel: 1 | 3;
}

export type PlainModule = LoraModule & Fields;

export function plainModule(fields: Fields): PlainModule {
  const { rank, in: width, out, fileRank, kernel, down, up } = fields;
  const [taps, ones] = fileRank === 4 ? [[kernel, kernel], [1, 1]] : [[], []];
  const factors = [{ key: "lora_down.weight", shape: [rank, width, ...taps] }, { key: "lora_up.weight", shape: [out, rank, ...ones] }];
  return { ...fields, factors, weights: { "lora_down.weight": down, "lora_up.weight": up } };
}
