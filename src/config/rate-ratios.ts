/** How the rates of parts of the adapter relate to their side's: LoRA+ and weights by block. */
import { blockWeights } from "./block-settings.ts";
import type { TrainingConfig } from "./parameters.ts";
import { ownRate } from "./relative-step.ts";

export interface SideRatios {
  /** Of a LoRA's up against its down. */
  readonly up: { readonly unet: number; readonly textEncoder: number };
  /** Of each of the UNet's blocks; absent where all are alike. */
  readonly blocks?: readonly number[];
}

/**
 * @returns undefined where each side learns at one rate: nothing is set, or the optimizer has a rate of its own
 * @throws ConfigError as `blockWeights`
 */
export function sideRatios(config: TrainingConfig): SideRatios | undefined {
  const blocks = blockWeights(config);
  const general = config.loraplus_lr_ratio ?? 1;
  const up = { unet: config.loraplus_unet_lr_ratio ?? general, textEncoder: config.loraplus_text_encoder_lr_ratio ?? general };
  const isPlain = blocks === undefined && up.unet === 1 && up.textEncoder === 1;
  if (isPlain || ownRate(config) !== undefined) return undefined;
  return { up, ...(blocks && { blocks }) };
}
