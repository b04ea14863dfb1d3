/**
 * Prodigy: Adam whose step size grows with the estimated distance to the solution. `d` of the shaders' formulas is that
 * estimate; lr only scales it.
 */
import { adaptive, adaptiveScalars, at, head } from "./adaptive.ts";
import type { Optimizer } from "./optimizer.ts";
import applySource from "./prodigy-apply.wgsl?raw";
import observeSource from "./prodigy-observe.wgsl?raw";

export interface ProdigySettings {
  readonly betas: readonly [number, number];
  /** Of the running sums behind d; √β₂ where it is not set. */
  readonly beta3: number | null;
  readonly eps: number;
  readonly weightDecay: number;
  readonly isDecoupled: boolean;
  readonly hasBiasCorrection: boolean;
  /** Leaves the rate out of the sums, so that a warmup does not spoil them. */
  readonly hasSafeguard: boolean;
  readonly d0: number;
  readonly dCoef: number;
  readonly growthRate: number;
  /** d is estimated from every n-th element of each tensor. */
  readonly slice: number;
}

/** State: s, the first parameters, v, and m where β₁ is not 0. */
export function prodigy(settings: ProdigySettings): Optimizer {
  const { betas, beta3, weightDecay, isDecoupled, hasBiasCorrection, hasSafeguard, slice } = settings;
  const hasMomentum = betas[0] > 0;
  const isCoupled = weightDecay !== 0 && !isDecoupled;
  const shrinks = weightDecay !== 0 && isDecoupled;
  const momentum = hasMomentum ? [3] : [];
  return {
    name: "Prodigy",
    stateCount: 3 + momentum.length,
    scalars: ({ lr }) => adaptiveScalars(lr, { ...settings, beta3: beta3 ?? Math.sqrt(betas[1]) }),
    build: adaptive({
      estimate: "DISTANCE",
      hasBiasCorrection,
      slice,
      observe: {
        name: "prodigy-observe",
        source: observeSource,
        defines: { COUPLED: isCoupled, SAFEGUARD: hasSafeguard, SLICED: slice > 1 },
        reads: ["grad", "param"],
        writes: [0, 1, 2],
        element(h, v) {
          const get = (i: number): number => h[i] ?? 0;
          const { grad = 0, param = 0, state0 = 0, state2 = 0, chosen = 1 } = v;
          if (get(head.finite) === 0) return [];
          const d = get(head.before);
          if (get(head.first) !== 0) v["state1"] = param;
          if (get(head.rate) === 0) return [];
          const g = grad * get(head.coefficient) + (isCoupled ? get(at.weightDecay) * param : 0);
          const s = get(at.beta3) * state0 + (d / get(at.d0)) * (hasSafeguard ? d : get(head.y)) * g * chosen;
          v["state0"] = s;
          v["state2"] = get(at.beta2) * state2 + get(at.beta2Rest) * d * d * g * g;
          return [g * chosen * ((v["state1"] ?? 0) - param), Math.abs(s)];
        },
      },
      apply: {
        name: "prodigy-apply",
        source: applySource,
        defines: { MOMENTUM: hasMomentum, COUPLED: isCoupled, DECOUPLED: shrinks },
        reads: [],
        writes: ["param", "grad", 2, ...momentum],
        element(h, v) {
          const get = (i: number): number => h[i] ?? 0;
          const { grad = 0, param = 0, state2 = 0, state3 = 0 } = v;
          v["grad"] = 0;
          if (get(head.moves) === 0) return;
          const [y, d] = [get(head.y), get(head.d)];
          const g = grad * get(head.coefficient) + (isCoupled ? get(at.weightDecay) * param : 0);
          const kept = shrinks ? param * (1 - get(at.weightDecay) * y) : param;
          const m = get(at.beta1) * state3 + get(at.beta1Rest) * get(head.before) * g;
          if (hasMomentum) v["state3"] = m;
          v["param"] = kept - (hasMomentum ? y * m : y * d * g) / (Math.sqrt(state2) + d * get(at.eps));
        },
      },
    }),
  };
}
