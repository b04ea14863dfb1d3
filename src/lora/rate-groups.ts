/** Parameters that learn at the same rate: a side of the model, or with LoRA+ and rates by block a part of one. */
import type { LoraTarget } from "../models/names.ts";

export interface RateGroup {
  /** Of its parameters' pools; the side's own where its rate is the side's. */
  readonly name: string;
  readonly side: LoraTarget["part"];
  /** By which the side's rate is multiplied. */
  readonly ratio: number;
}

/** How much faster than their side a module's factors learn. */
export interface RateRatios {
  /** Of a LoRA's up, which LoRA+ lets learn faster than the rest. */
  readonly up: number;
  readonly other: number;
}

export function rateGroup(side: LoraTarget["part"], ratio: number): RateGroup {
  return { name: ratio === 1 ? side : `${side}*${ratio}`, side, ratio };
}

const upDown = /_(up|down)_blocks_(\d+)_(resnets|upsamplers|downsamplers|attentions)_(\d+)_/;

/** The number of a module's block in sd-scripts' counting (1 to 24), undefined where it is in none. */
export function blockOf({ name, part }: Pick<LoraTarget, "name" | "part">): number | undefined {
  if (part !== "unet") return undefined;
  if (name.includes("_mid_block_")) return 12;
  const [, way, level, kind, place] = upDown.exec(name) ?? [];
  if (way === undefined) return undefined;
  const index = 3 * Number(level) + (kind === "upsamplers" || kind === "downsamplers" ? 2 : Number(place));
  return (way === "down" ? 1 : 13) + index;
}
