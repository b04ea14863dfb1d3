/**
 * D-Adaptation's Adam, and the variant of its preprint: Adam whose step size is an estimate of the distance to the
 * solution, which only grows. lr scales it.
 */
import { adaptive, adaptiveScalars, at, head } from "./adaptive.ts";
import type { Optimizer } from "./optimizer.ts";
import applySource from "./dadapt-adam-apply.wgsl?raw";
import observeSource from "./dadapt-adam-observe.wgsl?raw";

export interface DAdaptAdamSettings {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly isDecoupled: boolean;
  readonly hasBiasCorrection: boolean;
  readonly d0: number;
  readonly growthRate: number;
  /** The first version of the paper, which is what kohya calls DAdaptation. */
  readonly isPreprint: boolean;
}

/** State: s, m, v. */
export function dAdaptAdam(settings: DAdaptAdamSettings): Optimizer {
  const { betas, weightDecay, isDecoupled, hasBiasCorrection, isPreprint } = settings;
  const isCoupled = weightDecay !== 0 && !isDecoupled;
  const shrinks = weightDecay !== 0 && isDecoupled;
  return {
    name: isPreprint ? "DAdaptation" : "DAdaptAdam",
    stateCount: 3,
    scalars: ({ lr }) => adaptiveScalars(lr, { ...settings, beta3: isPreprint ? betas[1] : Math.sqrt(betas[1]) }),
    build: adaptive({
      estimate: isPreprint ? "GRADIENT_NORM" : "PRODUCT",
      hasBiasCorrection,
      observe: {
        name: "dadapt-adam-observe",
        source: observeSource,
        defines: { COUPLED: isCoupled, PREPRINT: isPreprint },
        reads: isCoupled ? ["grad", "param"] : ["grad"],
        writes: [0, 1, 2],
        element(h, v) {
          const get = (i: number): number => h[i] ?? 0;
          if (get(head.finite) === 0 || get(head.rate) === 0) return [];
          const { grad = 0, param = 0, state0 = 0, state1 = 0, state2 = 0 } = v;
          const g = grad * get(head.coefficient) + (isCoupled ? get(at.weightDecay) * param : 0);
          const [y, eps] = [get(head.y), get(at.eps)];
          const s = get(at.beta3) * state0 + get(at.beta3Rest) * y * g;
          v["state0"] = s;
          v["state1"] = get(at.beta1) * state1 + get(at.beta1Rest) * y * g;
          const second = get(at.beta2) * state2 + get(at.beta2Rest) * g * g;
          v["state2"] = second;
          const d = Math.sqrt(isPreprint ? second : state2) + eps;
          return isPreprint ? [(g * g) / d, Math.abs(s), (s * s) / d] : [(g * state0) / d, Math.abs(s)];
        },
      },
      apply: {
        name: "dadapt-adam-apply",
        source: applySource,
        defines: { DECOUPLED: shrinks },
        reads: [1, 2],
        writes: ["param", "grad"],
        element(h, v) {
          const get = (i: number): number => h[i] ?? 0;
          const { param = 0, state1 = 0, state2 = 0 } = v;
          v["grad"] = 0;
          if (get(head.moves) === 0) return;
          const kept = shrinks ? param * (1 - get(at.weightDecay) * get(head.y)) : param;
          v["param"] = kept - state1 / (Math.sqrt(state2) + get(at.eps));
        },
      },
    }),
  };
}
