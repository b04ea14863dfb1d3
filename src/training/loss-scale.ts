/**
 * The dynamic loss scale of fp16, as PyTorch's GradScaler has it: gradients are made this much larger, so that small ones
 * are not lost in f16. An update whose gradients overflow is left out and the scale halved; after 2000 in a row that did
 * not, it is doubled.
 */
import type { TrainingConfig } from "../config/parameters.ts";

export interface LossScaleState {
  readonly scale: number;
  /** Updates in a row that did not overflow. */
  readonly clean: number;
  /** Updates left out so far. Learning rates and the optimizer's counter do not move on with them. */
  readonly skipped: number;
}

const growthInterval = 2000;
const initial: LossScaleState = { scale: 65536, clean: 0, skipped: 0 };
/** Gradients that overflow even so have another cause than the scale. */
const smallest = 2 ** -10;

/** @returns undefined where gradients are not scaled */
export function lossScaleOf({ mixed_precision: precision }: Pick<TrainingConfig, "mixed_precision">, state?: LossScaleState): LossScale | undefined {
  return precision === "fp16" ? new LossScale(state) : undefined;
}

export class LossScale {
  #state: LossScaleState;

  constructor(state: LossScaleState = initial) {
    this.#state = state;
  }

  get state(): LossScaleState {
    return this.#state;
  }

  /** An update went well. */
  grow(): void {
    const { scale, clean, skipped } = this.#state;
    const isDue = clean + 1 === growthInterval;
    this.#state = { scale: isDue ? scale * 2 : scale, clean: isDue ? 0 : clean + 1, skipped };
  }

  /** An update overflowed. @returns false where a smaller scale would not help */
  backOff(): boolean {
    const { scale, skipped } = this.#state;
    this.#state = { scale: scale / 2, clean: 0, skipped: skipped + 1 };
    return scale / 2 >= smallest;
  }
}
