/** Adam and AdamW as torch.optim computes them (bias correction; weight decay in the gradient, or decoupled). */
import { updateEach } from "./step-op.ts";
import type { Optimizer } from "./optimizer.ts";
import source from "./adamw.wgsl?raw";

export interface AdamWSettings {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
}

export const adamWDefaults: AdamWSettings = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01 };

export const adamW = (settings: AdamWSettings): Optimizer => build("AdamW", settings, false);

export const adam = (settings: AdamWSettings): Optimizer => build("Adam", settings, true);

function build(name: string, { betas: [b1, b2], eps, weightDecay }: AdamWSettings, isCoupled: boolean): Optimizer {
  return {
    name,
    scalars: ({ lr, step }) => [
      isCoupled ? weightDecay : 1 - lr * weightDecay,
      lr / (1 - b1 ** step),
      1 / Math.sqrt(1 - b2 ** step),
      b1,
      1 - b1,
      b2,
      1 - b2,
      eps,
    ],
    ...updateEach({ name: name.toLowerCase(), source, defines: { COUPLED: isCoupled } }, 2, (s, gradient, parameter, [m0 = 0, v0 = 0]) => {
      const at = (i: number): number => s[i] ?? 0;
      const g = isCoupled ? gradient + at(0) * parameter : gradient;
      const kept = isCoupled ? parameter : parameter * at(0);
      const m = at(3) * m0 + at(4) * g;
      const v = at(5) * v0 + at(6) * g * g;
      return { parameter: kept - at(1) * (m / (Math.sqrt(v) * at(2) + at(7))), state: [m, v] };
    }),
  };
}
