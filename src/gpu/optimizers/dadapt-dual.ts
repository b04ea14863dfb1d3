/** D-Adaptation's AdaGrad and SGD: dual averaging from the first parameters, with an estimated step size. */
import { adaptive, adaptiveScalars, at, head } from "./adaptive.ts";
import type { Optimizer } from "./optimizer.ts";
import applySource from "./dadapt-dual-apply.wgsl?raw";
import observeSource from "./dadapt-dual-observe.wgsl?raw";

export interface DAdaptSgdSettings {
  readonly momentum: number;
  /** Part of the gradient. */
  readonly weightDecay: number;
  readonly d0: number;
  readonly growthRate: number;
}

export interface DAdaptAdaGradSettings extends DAdaptSgdSettings {
  readonly eps: number;
}

/** State: s, the first parameters, sums of squared gradients. */
export const dAdaptAdaGrad = (settings: DAdaptAdaGradSettings): Optimizer => dual("DAdaptAdaGrad", settings, true);

/** State: s, the first parameters. */
export const dAdaptSgd = (settings: DAdaptSgdSettings): Optimizer => dual("DAdaptSGD", settings, false);

function dual(name: string, settings: DAdaptSgdSettings & { readonly eps?: number }, isAdaGrad: boolean): Optimizer {
  const squares = isAdaGrad ? [2] : [];
  return {
    name,
    stateCount: 2 + squares.length,
    scalars: ({ lr }) => adaptiveScalars(lr, settings),
    build: adaptive({
      estimate: isAdaGrad ? "DUAL_NORM" : "DUAL_PRODUCT",
      isByNorm: !isAdaGrad,
      observe: {
        name: "dadapt-dual-observe",
        source: observeSource,
        defines: { ADAGRAD: isAdaGrad },
        reads: ["grad", "param"],
        writes: [0, 1, ...squares],
        element(h, v) {
          const get = (i: number): number => h[i] ?? 0;
          if (get(head.finite) === 0) return [];
          const { grad = 0, param = 0, state0 = 0 } = v;
          const g = grad * get(head.coefficient) + get(at.weightDecay) * param;
          if (get(head.first) !== 0) {
            v["state1"] = param;
            if (isAdaGrad) v["state2"] = 1e-6;
          }
          const s = state0 + get(head.y) * g;
          if (!isAdaGrad) {
            if (get(head.rate) === 0) return [];
            v["state0"] = s;
            return [g * state0, s * s];
          }
          v["state0"] = s;
          const a = (v["state2"] ?? 0) + g * g;
          v["state2"] = a;
          const d = Math.sqrt(a) + get(at.eps);
          return [(g * g) / d, Math.abs(s), (s * s) / d];
        },
      },
      apply: {
        name: "dadapt-dual-apply",
        source: applySource,
        defines: { ADAGRAD: isAdaGrad },
        reads: [0, 1, ...squares],
        writes: ["param", "grad"],
        element(h, v) {
          const get = (i: number): number => h[i] ?? 0;
          const { param = 0, state0 = 0, state1 = 0, state2 = 0 } = v;
          v["grad"] = 0;
          if (get(head.moves) === 0) return;
          const momentum = get(at.momentum);
          const goal = state1 - state0 / (isAdaGrad ? Math.sqrt(state2) + get(at.eps) : 1);
          v["param"] = momentum * param + (1 - momentum) * goal;
        },
      },
    }),
  };
}
