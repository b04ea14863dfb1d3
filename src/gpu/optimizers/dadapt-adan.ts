/** D-Adaptation's Adan, which also follows how gradients change, and its variant with inner products (IP). */
import { adaptive, adaptiveScalars, at, head } from "./adaptive.ts";
import type { Optimizer } from "./optimizer.ts";
import applySource from "./dadapt-adan-apply.wgsl?raw";
import observeSource from "./dadapt-adan-observe.wgsl?raw";

export interface DAdaptAdanSettings {
  /** Of the gradient, of its change, and of squares. */
  readonly betas: readonly [number, number, number];
  readonly eps: number;
  readonly weightDecay: number;
  /** The decay comes before the step, instead of dividing by it. */
  readonly isProxFree: boolean;
  readonly d0: number;
  readonly growthRate: number;
  readonly isInnerProduct: boolean;
}

/** State: s, m, mean change, v, the last gradient. */
export function dAdaptAdan(settings: DAdaptAdanSettings): Optimizer {
  const { betas: [b1, b2, b3], isProxFree, isInnerProduct } = settings;
  // Twice the estimate of the other optimizers, less a decay.
  const dCoef = isInnerProduct ? 2 * b3 : 1;
  return {
    name: isInnerProduct ? "DAdaptAdanIP" : "DAdaptAdan",
    stateCount: 5,
    scalars: ({ lr }) => adaptiveScalars(lr, { ...settings, betas: [b1, b2], beta3: b3, dCoef }),
    build: adaptive({
      estimate: isInnerProduct ? "PRODUCT" : "GRADIENT_NORM",
      observe: {
        name: "dadapt-adan-observe",
        source: observeSource,
        defines: { IP: isInnerProduct },
        reads: ["grad"],
        writes: [0, 1, 2, 3, 4],
        element(h, v) {
          const get = (i: number): number => h[i] ?? 0;
          if (get(head.finite) === 0) return [];
          const { state0 = 0, state1 = 0, state2 = 0, state3 = 0 } = v;
          const g = (v["grad"] ?? 0) * get(head.coefficient);
          if (get(head.updates) === 0) v["state4"] = g;
          const change = g - (v["state4"] ?? 0);
          const y = get(head.y);
          const s = get(at.beta3) * state0 + get(at.beta3Rest) * y * g;
          const squares = get(at.beta3) * state3 + get(at.beta3Rest) * (g + get(at.beta2) * change) ** 2;
          v["state0"] = s;
          v["state1"] = get(at.beta1) * state1 + get(at.beta1Rest) * y * g;
          v["state2"] = get(at.beta2) * state2 + get(at.beta2Rest) * y * change;
          v["state3"] = squares;
          const d = Math.sqrt(isInnerProduct ? state3 : squares) + get(at.eps);
          return isInnerProduct ? [(g * state0) / d, Math.abs(s)] : [(g * g) / d, Math.abs(s), (s * s) / d];
        },
      },
      apply: {
        name: "dadapt-adan-apply",
        source: applySource,
        defines: { NO_PROX: isProxFree },
        reads: [],
        writes: ["param", "grad", 1, 2, 3, 4],
        element(h, v) {
          const get = (i: number): number => h[i] ?? 0;
          const { param = 0, state1 = 0, state2 = 0, state3 = 0 } = v;
          const g = (v["grad"] ?? 0) * get(head.coefficient);
          v["grad"] = 0;
          if (get(head.moves) === 0) return;
          const step = (state1 + get(at.beta2) * state2) / (Math.sqrt(state3) + get(at.eps));
          const decay = get(at.weightDecay) * get(head.y);
          v["param"] = isProxFree ? param * (1 - decay) - step : (param - step) / (1 + decay);
          v["state4"] = g;
        },
      },
    }),
  };
}
