/** Lion (lion-pytorch): sign of an interpolated momentum, decoupled weight decay. */
import { updateEach } from "./step-op.ts";
import type { Optimizer } from "./optimizer.ts";
import source from "./lion.wgsl?raw";

export interface LionSettings {
  readonly betas: readonly [number, number];
  readonly weightDecay: number;
}

export const lionDefaults: LionSettings = { betas: [0.9, 0.99], weightDecay: 0 };

export function lion({ betas: [b1, b2], weightDecay }: LionSettings): Optimizer {
  return {
    name: "Lion",
    scalars: ({ lr }) => [1 - lr * weightDecay, lr, b1, 1 - b1, b2, 1 - b2],
    ...updateEach({ name: "lion", source }, 1, (s, g, parameter, [m = 0]) => {
      const at = (i: number): number => s[i] ?? 0;
      const direction = Math.sign(at(2) * m + at(3) * g);
      return { parameter: parameter * at(0) - at(1) * direction, state: [at(4) * m + at(5) * g] };
    }),
  };
}
