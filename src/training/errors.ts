/** What stops a run, in terms of training. */
import { LorasmithError } from "../errors.ts";

/** Loss or a gradient became infinite or NaN. The adapter still holds the state after the step before. */
export class NotFiniteError extends LorasmithError {
  constructor(step: number, loss: number, isHalf: boolean) {
    const also = isHalf ? ". With mixed_precision=fp16 numbers above 65504 are another: bf16 takes them" : "";
    super(
      "train.notFinite",
      `The loss became invalid (${loss}) at step ${step}; training stopped and the step before it is kept. The usual cause is a learning rate that is too high: halve unet_lr and text_encoder_lr and resume${also}`,
      { step },
    );
  }
}
