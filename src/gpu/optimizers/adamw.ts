/** AdamW as torch.optim.AdamW computes it (decoupled weight decay, bias correction). */
import { stepOp } from "./step-op.ts";
import type { Optimizer } from "./optimizer.ts";
import source from "./adamw.wgsl?raw";

export interface AdamWSettings {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
}

export const adamWDefaults: AdamWSettings = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01 };

export function adamW({ betas: [b1, b2], eps, weightDecay }: AdamWSettings): Optimizer {
  return {
    name: "AdamW",
    stateCount: 2,
    pythonName: "torch.optim.adamw.AdamW",
    scalars: ({ lr, step }) => [
      1 - lr * weightDecay,
      lr / (1 - b1 ** step),
      1 / Math.sqrt(1 - b2 ** step),
      b1,
      1 - b1,
      b2,
      1 - b2,
      eps,
    ],
    op: stepOp({ name: "adamw", source }, 2, (s, g, parameter, [m0 = 0, v0 = 0]) => {
      const at = (i: number): number => s[i] ?? 0;
      const m = at(3) * m0 + at(4) * g;
      const v = at(5) * v0 + at(6) * g * g;
      return { parameter: parameter * at(0) - at(1) * (m / (Math.sqrt(v) * at(2) + at(7))), state: [m, v] };
    }),
  };
}
