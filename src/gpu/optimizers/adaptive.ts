/**
 * What D-Adaptation and Prodigy share: an update in two passes. The first moves the state and sums over all parameters;
 * from the sums comes a new estimate d of how far the parameters have to go, and the second pass steps by it. The
 * estimate and its running sums stay on the GPU, as f32 (PyTorch keeps them in f64).
 */
import { bindOp, type OpDef, type RefMap } from "../graph/op.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread } from "../tier.ts";
import type { Defines } from "../graph/lower.ts";
import { placeOf } from "./trained-tensor.ts";
import type { Optimizer, UpdateBuffer, UpdateContext } from "./optimizer.ts";
import beginSource from "./adaptive-begin.wgsl?raw";
import settleSource from "./adaptive-settle.wgsl?raw";
import sumSource from "./adaptive-sum.wgsl?raw";

/** Constants of an update; what an optimizer does not have is left out. */
export interface AdaptiveScalars {
  readonly betas?: readonly [number, number];
  /** Of what the estimate is made of. */
  readonly beta3?: number;
  readonly eps?: number;
  readonly weightDecay: number;
  /** The first estimate. */
  readonly d0: number;
  /** Factor of the estimate. */
  readonly dCoef?: number;
  /** How much d may grow at each update; Infinity for as much as it likes. */
  readonly growthRate?: number;
  readonly momentum?: number;
}

/** Positions in head, which adaptive-begin.wgsl explains. */
export const head = {
  d: 0, dMax: 1, numerator: 2, updates: 3, started: 4, bias1: 5, bias2: 6, norm: 7,
  coefficient: 8, finite: 9, y: 10, before: 11, moves: 12, first: 13, rate: 14, size: 15, scalars: 16,
} as const;
export const at = {
  lr: 16, beta1: 17, beta1Rest: 18, beta2: 19, beta2Rest: 20, beta3: 21, beta3Rest: 22, eps: 23, weightDecay: 24, d0: 25,
  dCoef: 26, growth: 27, momentum: 28,
} as const;

/** In the order of `at`. */
export function adaptiveScalars(lr: number, settings: AdaptiveScalars): number[] {
  const { betas: [b1, b2] = [0, 0], beta3 = 0, eps = 0, weightDecay, d0, dCoef = 1, growthRate = Infinity, momentum = 0 } = settings;
  return [lr, b1, 1 - b1, b2, 1 - b2, beta3, 1 - beta3, eps, weightDecay, d0, dCoef, growthRate === Infinity ? 0 : growthRate, momentum];
}

/** How d comes of the sums. */
export type EstimateRule = "GRADIENT_NORM" | "DUAL_NORM" | "PRODUCT" | "DUAL_PRODUCT" | "DISTANCE";

/** One pass over the parameters. The shader reads `head`; a first pass hands in sums. */
export interface Pass {
  readonly name: string;
  readonly source: string;
  readonly defines: Defines;
  /** What is only read, and what is written; state by index. */
  readonly reads: readonly ("param" | "grad" | number)[];
  readonly writes: readonly ("param" | "grad" | number)[];
  /**
   * One element in float64. `values` holds `param`, `grad` and state by name and is changed in place.
   * @returns what the element adds to the sums
   */
  element(head: Float64Array, values: Record<string, number>): readonly number[] | void;
}

export interface AdaptiveRule {
  readonly estimate: EstimateRule;
  /** y is corrected as Adam's step is. */
  readonly hasBiasCorrection?: boolean;
  /** y is in units of the first gradient's norm. */
  readonly isByNorm?: boolean;
  /** The sums are over every n-th element of each tensor, in PyTorch's order; every one unless set. */
  readonly slice?: number;
  readonly observe: Pass;
  /** Left out where the first pass has moved the parameters. */
  readonly apply?: Pass;
}

const workgroups = 64;

export function adaptive(rule: AdaptiveRule): Optimizer["build"] {
  const begin = bindOp(beginOp, rule);
  return (update) => {
    const { graph, scalars, report, buffers } = update;
    const state = update.keep("estimate", 32);
    const partials = update.scratch("partials", Math.max(1, buffers.length) * workgroups * 4);
    graph.addBound(begin, { scalars, report }, { accumulates: { head: state } });
    addPass(update, rule.observe, state, partials, rule.slice);
    graph.addBound(bindOp(settleOp, rule), { partials }, { accumulates: { head: state } });
    if (rule.apply !== undefined) addPass(update, rule.apply, state);
  };
}

function addPass({ graph, buffers, constant }: UpdateContext, pass: Pass, state: Tensor, partials?: Tensor, slice = 1): void {
  buffers.forEach((buffer, i) => {
    const { key, param, grad, state: banks } = buffer;
    const pick = (names: Pass["reads"]): Record<string, Tensor> =>
      Object.fromEntries(
        names.flatMap((name): [string, Tensor][] => {
          const tensor = name === "param" ? param : name === "grad" ? grad : banks[name];
          return tensor === undefined ? [] : [[typeof name === "number" ? `state${name}` : name, tensor]];
        }),
      );
    const accumulates = { ...pick(pass.writes), ...(partials === undefined ? {} : { partials }) };
    const slices = slice > 1 ? constant(`slices/${key}`, sliceBits(buffer, slice)) : undefined;
    const op = bindOp(passOp, { pass, place: i * workgroups, hasSums: partials !== undefined });
    graph.addBound(op, { head: state, slices, ...pick(pass.reads) }, { accumulates });
  });
}

/** A bit for each number of the buffer: whether it is one of every n of its tensor. */
function sliceBits({ param, tensors }: UpdateBuffer, slice: number): Uint32Array<ArrayBuffer> {
  const bits = new Uint32Array(Math.ceil(elementCount(param.shape) / 32));
  for (const tensor of tensors) {
    for (let index = 0; index < tensor.count; index += slice) {
      const place = placeOf(tensor, index);
      bits[place >>> 5] = (bits[place >>> 5] ?? 0) | (1 << (place & 31));
    }
  }
  return bits;
}

const beginOp: OpDef<AdaptiveRule> = {
  kind: "adaptiveBegin",
  outputs: () => [],
  lower(ctx, { hasBiasCorrection = false, isByNorm = false }) {
    const bindings = { scalars: ctx.input("scalars"), report: ctx.input("report"), head: ctx.accumulated("head") };
    const kernel = { name: "adaptive-begin", source: beginSource };
    return [{ kernel, defines: { BIAS: hasBiasCorrection, NORM: isByNorm }, bindings, params: {}, grid: [1, 1, 1] }];
  },
  reference(inputs, { hasBiasCorrection = false, isByNorm = false }) {
    const h = copyOf(inputs, "head");
    const [scalars, report] = [copyOf(inputs, "scalars"), copyOf(inputs, "report")];
    h.set(scalars.subarray(0, 16), head.scalars);
    h.set([report[1] ?? 1, report[2] ?? 0], head.coefficient);
    h[head.moves] = 0;
    if (report[2] === 0) return [h];
    const get = (i: number): number => h[i] ?? 0;
    h[head.first] = get(head.started) === 0 ? 1 : 0;
    if (get(head.started) === 0) h[head.d] = h[head.dMax] = get(at.d0);
    h[head.started] = 1;
    h[head.before] = get(head.d);
    h[head.rate] = get(at.lr);
    let y = get(head.d) * get(at.lr);
    if (hasBiasCorrection) {
      y *= Math.sqrt(get(head.bias2) * get(at.beta2) + get(at.beta2Rest)) / (get(head.bias1) * get(at.beta1) + get(at.beta1Rest));
    }
    if (isByNorm) {
      if (get(head.updates) === 0) h[head.norm] = (report[0] ?? 0) * (report[1] ?? 1);
      y = get(head.norm) > 0 ? y / get(head.norm) : 0;
    }
    h[head.y] = y;
    return [h];
  },
};

const settleOp: OpDef<AdaptiveRule> = {
  kind: "adaptiveSettle",
  outputs: () => [],
  lower(ctx, { estimate }) {
    const partials = ctx.input("partials");
    const rules: readonly EstimateRule[] = ["GRADIENT_NORM", "DUAL_NORM", "PRODUCT", "DUAL_PRODUCT", "DISTANCE"];
    return [
      {
        kernel: { name: "adaptive-settle", source: settleSource },
        defines: Object.fromEntries(rules.map((rule) => [rule, rule === estimate])),
        bindings: { partials, head: ctx.accumulated("head") },
        params: { count: elementCount(partials.shape) / 4 },
        grid: [1, 1, 1],
      },
    ];
  },
  reference(inputs, { estimate: rule }) {
    const h = copyOf(inputs, "head");
    const sum = [0, 0, 0];
    copyOf(inputs, "partials").forEach((value, i) => (sum[i % 4] = (sum[i % 4] ?? 0) + value));
    const [x = 0, size = 0, z = 0] = sum;
    const get = (i: number): number => h[i] ?? 0;
    if (get(head.finite) === 0 || size === 0) return [h];
    const [y, d0, dCoef] = [get(head.y), get(at.d0), get(at.dCoef)];
    const [b3, b3Rest] = [get(at.beta3), get(at.beta3Rest)];
    const before = get(head.numerator);
    const rules: Record<EstimateRule, () => [number, (numerator: number) => number]> = {
      GRADIENT_NORM: () => [b3 * before + y * y * x * b3Rest, (n) => (z / b3Rest - n) / size],
      DUAL_NORM: () => [before + y * y * x, (n) => (z - n) / size],
      PRODUCT: () => [b3 * before + b3Rest * y * x, (n) => (n / (b3Rest * size)) * dCoef],
      DUAL_PRODUCT: () => [before + y * x, (n) => (2 * n) / Math.sqrt(size)],
      DISTANCE: () => [b3 * before + (get(head.d) / d0) * y * x, (n) => (dCoef * n) / size],
    };
    const [numerator, estimateOf] = rules[rule]();
    const estimate = estimateOf(numerator);
    const growth = get(at.growth) === 0 ? Infinity : get(at.growth);
    let d = get(head.d);
    if (get(head.rate) > 0) {
      if (rule === "DISTANCE") {
        if (d === d0) d = Math.max(d, estimate);
        h[head.dMax] = Math.max(get(head.dMax), estimate);
        d = Math.min(get(head.dMax), d * growth);
      } else d = Math.max(d, Math.min(estimate, d * growth));
    }
    h[head.numerator] = numerator;
    h[head.d] = d;
    h[head.updates] = get(head.updates) + 1;
    h[head.bias1] = get(head.bias1) * get(at.beta1) + get(at.beta1Rest);
    h[head.bias2] = get(head.bias2) * get(at.beta2) + get(at.beta2Rest);
    h[head.moves] = 1;
    h[head.size] = size;
    return [h];
  },
};

const passOp: OpDef<{ readonly pass: Pass; readonly place: number; readonly hasSums: boolean }> = {
  kind: "adaptivePass",
  outputs: () => [],
  lower(ctx, { pass, place, hasSums }) {
    const names = (list: Pass["reads"]): string[] => list.map((name) => (typeof name === "number" ? `state${name}` : name));
    const bindings: Record<string, Tensor> = { head: ctx.input("head") };
    for (const name of names(pass.reads)) bindings[name] = ctx.input(name);
    for (const name of [...names(pass.writes), ...(hasSums ? ["partials"] : [])]) bindings[name] = ctx.accumulated(name);
    const slices = ctx.optional("slices");
    if (slices !== undefined) bindings["slices"] = slices;
    const count = elementCount((bindings["grad"] ?? bindings["head"])?.shape ?? []) / 4;
    const source = hasSums ? `${pass.source}\n${sumSource}` : pass.source;
    return [
      {
        kernel: { name: pass.name, source },
        defines: pass.defines,
        bindings,
        params: hasSums ? { count, place } : { count },
        grid: hasSums ? [workgroups, 1, 1] : spread(ceilDiv(count, 256)),
      },
    ];
  },
  reference(inputs, { pass, place, hasSums }) {
    const h = copyOf(inputs, "head");
    const names = [...pass.reads, ...pass.writes].map((name) => (typeof name === "number" ? `state${name}` : name));
    const arrays = names.map((name): [string, Float64Array] => [name, copyOf(inputs, name)]);
    const partials = copyOf(inputs, "partials");
    const slices = inputs["slices"]?.data;
    const sums = [0, 0, 0, 0];
    const count = inputs["grad"]?.data.length ?? 0;
    for (let i = 0; i < count; i++) {
      const values = Object.fromEntries(arrays.map(([name, data]) => [name, data[i] ?? 0]));
      if (slices !== undefined) values["chosen"] = ((slices[i >>> 5] ?? 0) >>> (i & 31)) & 1;
      const added = pass.element(h, values) ?? [];
      added.forEach((value, k) => (sums[k] = (sums[k] ?? 0) + value));
      for (const [name, data] of arrays) data[i] = values[name] ?? 0;
    }
    if (hasSums) {
      partials.fill(0, place * 4, (place + workgroups) * 4);
      partials.set(sums, place * 4);
    }
    return [...arrays.slice(pass.reads.length).map(([, data]) => data), ...(hasSums ? [partials] : [])];
  },
};

function copyOf(inputs: RefMap, name: string): Float64Array {
  return Float64Array.from(inputs[name]?.data ?? []);
}
