/**
 * The training loss and its gradient in one pass: loss_b = w_b · mean(element(pred − target)) per sample.
 * The gradient is emitted here rather than by differentiation because its weights differ from the logged ones
 * (mean over the batch, gradient accumulation, loss scale).
 */
import { invariant } from "../../errors.ts";
import { bindOp, type OpDef } from "../graph/op.ts";
import { dim, elementCount, type Tensor } from "../graph/tensor.ts";
import type { Graph } from "../graph/graph.ts";
import source from "../kernels/diffusion-loss.wgsl?raw";

/** What an element's difference δ costs: δ², |δ|, 2c·(√(δ²+c²)−c) or 2·(√(δ²+c²)−c); c by sample. */
export type LossType = "l2" | "l1" | "huber" | "smooth_l1";
/** Numbers of a sample in `weights`. */
export const lossWeightWidth = 4;

interface Attrs {
  readonly type: LossType;
}

const kernel = { name: "diffusion-loss", source };

const diffusionLossOp: OpDef<Attrs> = {
  kind: "diffusionLoss",
  outputs: ({ pred }) => [{ shape: [dim(pred!, 0)] }, { shape: pred!.shape }],
  lower(ctx, { type }) {
    const pred = ctx.input("pred");
    const mask = ctx.optional("mask");
    invariant(mask === undefined || dim(pred, -1) === 4, "a mask wants four channels");
    const batch = dim(pred, 0);
    const width = elementCount(pred.shape) / batch / 4;
    invariant(Number.isInteger(width), "the loss needs samples of a multiple of 4 elements");
    const bindings = {
      pred,
      target_: ctx.input("target"),
      weights: ctx.input("weights"),
      ...(mask === undefined ? {} : { mask }),
      loss: ctx.output(0),
      dpred: ctx.output(1),
      guard: ctx.accumulated("guard"),
    };
    const bends = type === "huber" || type === "smooth_l1";
    const defines = { L2: type === "l2", L1: type === "l1", BEND: bends, HUBER: type === "huber", MASKED: mask !== undefined };
    return [{ kernel, defines, bindings, params: { width }, grid: [batch, 1, 1] }];
  },
  reference({ pred, target, weights, mask, guard }, { type }) {
    const batch = pred!.shape[0]!;
    const n = pred!.data.length / batch;
    const loss = new Float64Array(batch);
    const dpred = pred!.data.map((value, i) => {
      const b = Math.floor(i / n);
      const [weight = 0, gradientWeight = 0, c = 0] = weights!.data.subarray(lossWeightWidth * b, lossWeightWidth * b + 3);
      const { cost, slope } = element(type, value - target!.data[i]!, c);
      const share = mask?.data[Math.floor(i / 4)] ?? 1;
      loss[b] = loss[b]! + (cost * share * weight) / n;
      return (slope * share * gradientWeight) / n;
    });
    const flag = Float64Array.from(guard!.data);
    if (!loss.every(Number.isFinite)) flag[0] = 1;
    return [loss, dpred, flag];
  },
};

function element(type: LossType, delta: number, c: number): { cost: number; slope: number } {
  if (type === "l2") return { cost: delta * delta, slope: 2 * delta };
  if (type === "l1") return { cost: Math.abs(delta), slope: Math.sign(delta) };
  const scale = type === "huber" ? 2 * c : 2;
  const root = Math.hypot(delta, c);
  return { cost: scale * (root - c), slope: (scale * delta) / root };
}

export interface LossInputs {
  readonly pred: Tensor;
  readonly target: Tensor;
  /** [B,4]: per sample the weight in the logged loss, the weight in the gradient, c (above 0 where the type has one), and nothing */
  readonly weights: Tensor;
  /** [B,h,w]: how much each pixel counts; all alike where absent. Four channels only. The mean is over all pixels anyway. */
  readonly mask?: Tensor | undefined;
}

export interface LossOutputs {
  /** [B], read by the CPU */
  readonly loss: Tensor;
  /** [4]; element 0 is set to 1 by a loss that is not finite */
  readonly guard: Tensor;
}

/** @returns gradient of the prediction */
export function diffusionLoss(graph: Graph, type: LossType, inputs: LossInputs, { loss, guard }: LossOutputs): Tensor {
  const dpred = graph.tensor("temp", inputs.pred.shape, "f32", "diffusionLoss/dpred");
  graph.addBound(bindOp(diffusionLossOp, { type }), { ...inputs }, { outputs: [loss, dpred], accumulates: { guard } });
  return dpred;
}
