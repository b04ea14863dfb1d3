/**
 * The factors of a plain LoRA or LoCon: down [rank, in] or [rank, in, kh, kw], up [out, rank]. On the GPU ranks are padded
 * to a multiple of 4 with zeros, and down lies as [rank][kh][kw][in].
 */
import { channelsLastStrides, kaiming, type Factor } from "./factors.ts";
import type { LoraTarget } from "../models/names.ts";

export const downKey = "lora_down.weight";
export const upKey = "lora_up.weight";

export function paddedRank(rank: number): number {
  return Math.ceil(rank / 4) * 4;
}

/** Elements of one row of a module's down. */
export function downWidth(target: Pick<LoraTarget, "in" | "kernel">): number {
  return target.in * target.kernel ** 2;
}

/**
 * @param padded rank on the GPU, where the module lies beside others of larger rank
 * @returns down, up
 */
export function loraFactors(target: LoraTarget, rank: number, padded = paddedRank(rank)): readonly [down: Factor, up: Factor] {
  const { in: width, out, kernel, fileRank } = target;
  const ones = fileRank === 4 ? [1, 1] : [];
  const shape = [rank, width, ...(fileRank === 4 ? [kernel, kernel] : [])];
  const strides = channelsLastStrides(shape).slice(0, shape.length);
  return [
    { key: downKey, shape, strides, size: padded * downWidth(target), start: kaiming(shape) },
    { key: upKey, shape: [out, rank, ...ones], strides: [padded, 1, ...ones], size: out * padded, start: { kind: "zeros" } },
  ];
}
