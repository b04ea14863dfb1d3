/** SGD with momentum as torch.optim.SGD computes it: Nesterov's, or the heavy ball. */
import { updateEach } from "./step-op.ts";
import type { Optimizer } from "./optimizer.ts";
import source from "./sgd.wgsl?raw";

export interface SgdSettings {
  readonly momentum: number;
  readonly isNesterov: boolean;
  readonly weightDecay: number;
}

export function sgd({ momentum, isNesterov, weightDecay }: SgdSettings): Optimizer {
  return {
    name: isNesterov ? "SGDNesterov" : "SGD",
    // The first momentum is the first gradient.
    scalars: ({ lr, step }) => [weightDecay, step === 1 ? 0 : momentum, lr, isNesterov ? momentum : 1, isNesterov ? 1 : 0],
    ...updateEach({ name: "sgd", source }, 1, (s, gradient, parameter, [before = 0]) => {
      const at = (i: number): number => s[i] ?? 0;
      const g = gradient + at(0) * parameter;
      const momentum = at(1) * before + g;
      return { parameter: parameter - at(2) * (at(4) * g + at(3) * momentum), state: [momentum] };
    }),
  };
}
