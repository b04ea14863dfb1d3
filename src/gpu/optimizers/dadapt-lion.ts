/** D-Adaptation's Lion: the sign of a momentum, with an estimated step size and decoupled weight decay. */
import { adaptive, adaptiveScalars, at, head } from "./adaptive.ts";
import type { Optimizer } from "./optimizer.ts";
import source from "./dadapt-lion.wgsl?raw";

export interface DAdaptLionSettings {
  readonly betas: readonly [number, number];
  readonly weightDecay: number;
  readonly d0: number;
}

/** State: s, m. */
export function dAdaptLion(settings: DAdaptLionSettings): Optimizer {
  return {
    name: "DAdaptLion",
    stateCount: 2,
    scalars: ({ lr }) => adaptiveScalars(lr, { ...settings, beta3: Math.sqrt(settings.betas[1]) }),
    build: adaptive({
      estimate: "PRODUCT",
      observe: {
        name: "dadapt-lion",
        source,
        defines: {},
        reads: [],
        writes: ["param", "grad", 0, 1],
        element(h, v) {
          const get = (i: number): number => h[i] ?? 0;
          const { param = 0, state0 = 0, state1 = 0 } = v;
          const g = (v["grad"] ?? 0) * get(head.coefficient);
          v["grad"] = 0;
          if (get(head.finite) === 0) return [];
          const y = get(head.y);
          const u = Math.sign(get(at.beta1) * state1 + get(at.beta1Rest) * g);
          v["param"] = param * (1 - get(at.weightDecay) * y) - y * u;
          v["state1"] = get(at.beta2) * state1 + get(at.beta2Rest) * y * g;
          const s = get(at.beta3) * state0 + get(at.beta3Rest) * y * u;
          v["state0"] = s;
          return [u * state0, Math.abs(s)];
        },
      },
    }),
  };
}
