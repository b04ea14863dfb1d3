/**
 * sd-scripts' settings of single blocks of the UNet, in its numbering: 0 is conv_in, which has no adapter, 1 to 11 lead
 * down, 12 is the middle, 13 to 24 lead up.
 */
import { ConfigError } from "./errors.ts";
import type { TrainingConfig } from "./parameters.ts";

export const blockCount = 25;
/** Blocks on the way down or up, as sd-scripts counts them. */
const wayLength = 12;

type Key = keyof typeof curvesOf;

/** Which of the settings may be a curve by name. */
const curvesOf = { down_lr_weight: true, mid_lr_weight: false, up_lr_weight: true } as const;

const curves: Readonly<Record<string, (i: number) => number>> = {
  sine: (i) => Math.sin((Math.PI / 2) * (i / (wayLength - 1))),
  cosine: (i) => Math.sin((Math.PI / 2) * ((wayLength - 1 - i) / (wayLength - 1))),
  linear: (i) => i / (wayLength - 1),
  reverse_linear: (i) => (wayLength - 1 - i) / (wayLength - 1),
  zeros: () => 0,
};

type WeightSettings = Pick<TrainingConfig, Key | "block_lr_zero_threshold">;

/**
 * What each block's rate is multiplied with; 0 where the block has no adapter.
 * @returns undefined where none of the settings is set
 * @throws ConfigError `config.range` for text that is neither numbers nor a curve
 */
export function blockWeights(config: WeightSettings): readonly number[] | undefined {
  const { down_lr_weight: down, mid_lr_weight: mid, up_lr_weight: up } = config;
  if (down === "" && mid === "" && up === "") return undefined;
  const weights = (key: Key, length: number): number[] => {
    // The threshold is for what is given.
    if (config[key] === "") return Array.from({ length }, () => 1);
    return weightsOf(key, config[key], length).map((weight) => (weight > config.block_lr_zero_threshold ? weight : 0));
  };
  return [...weights("down_lr_weight", wayLength), ...weights("mid_lr_weight", 1), ...weights("up_lr_weight", wayLength)];
}

/** Too few numbers are filled up with 1, too many cut; an empty place between commas is 0. */
function weightsOf(key: Key, text: string, length: number): number[] {
  const [name = "", base, ...rest] = text.trim().split("+");
  const curve = curvesOf[key] && !text.includes(",") && Object.hasOwn(curves, name) ? curves[name] : undefined;
  if (curve !== undefined && rest.length === 0) {
    const floor = base === undefined ? 0 : number(key, text, base);
    return Array.from({ length }, (_, i) => curve(i) + floor);
  }
  const numbers = text.split(",").map((part) => (part.trim() === "" ? 0 : number(key, text, part)));
  return Array.from({ length }, (_, i) => numbers[i] ?? 1);
}

function number(key: Key, text: string, part: string): number {
  const value = Number(part);
  if (part.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  const names = curvesOf[key] ? `, or ${Object.keys(curves).join(", ")}, also as sine+0.25` : "";
  throw new ConfigError("range", key, text, `must be numbers of at least 0 with commas between${names}`);
}

/** Rank and alpha of a block's layers; rank 0 means no adapter. */
export interface BlockRank {
  readonly rank: number;
  readonly alpha: number;
}

export interface BlockRanks {
  /** Of linears and 1×1 convolutions, by block. */
  readonly linear: readonly BlockRank[];
  /** Of 3×3 convolutions; absent where they are not trained. */
  readonly conv?: readonly BlockRank[];
}

type RankSettings = WeightSettings
  & Pick<TrainingConfig, "network_dim" | "network_alpha" | "conv_dim" | "conv_alpha" | RankKey>;
type RankKey = "block_dims" | "block_alphas" | "conv_block_dims" | "conv_block_alphas";

/**
 * Ranks by block, as sd-scripts fills them up: what is not listed is as for the whole network, and a block without a
 * rate has no adapter. As there, `block_alphas` and the convolutions' lists count only beside `block_dims` or weights.
 * @returns undefined where all blocks are alike
 * @throws ConfigError `config.range` for lists that are not 25 numbers
 */
export function blockRanks(config: RankSettings): BlockRanks | undefined {
  const weights = blockWeights(config);
  if (config.block_dims === "" && weights === undefined) return undefined;
  const isTrained = (block: number): boolean => weights === undefined || weights[block] !== 0;
  const ranks = (dimKey: RankKey, alphaKey: RankKey, dim: number, alpha: number): BlockRank[] => {
    const dims = listOf(dimKey, config[dimKey], true) ?? Array.from({ length: blockCount }, () => dim);
    const alphas = listOf(alphaKey, config[alphaKey], false) ?? Array.from({ length: blockCount }, () => alpha);
    return dims.map((rank, block) => ({ rank: isTrained(block) ? rank : 0, alpha: alphas[block]! }));
  };
  const linear = ranks("block_dims", "block_alphas", config.network_dim, config.network_alpha);
  if (config.conv_block_dims === "" && config.conv_dim === null) return { linear };
  return { linear, conv: ranks("conv_block_dims", "conv_block_alphas", config.conv_dim ?? 0, config.conv_alpha ?? 1) };
}

function listOf(key: RankKey, text: string, isWhole: boolean): number[] | undefined {
  if (text.trim() === "") return undefined;
  const numbers = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const fits = (value: number): boolean => Number.isFinite(value) && value >= 0 && (!isWhole || (Number.isInteger(value) && value <= 1024));
  if (numbers.length !== blockCount || !numbers.every(fits)) {
    const kind = isWhole ? "whole numbers from 0 to 1024" : "numbers of at least 0";
    throw new ConfigError("range", key, text, `must be ${blockCount} ${kind} with commas between, one for each block`);
  }
  return numbers;
}
