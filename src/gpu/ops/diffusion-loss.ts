/**
 * The training loss (l2) and its gradient in one pass: loss_b = w_b · mean((pred − target)²) per sample.
 * The gradient is emitted here rather than by differentiation because its weights differ from the logged ones
 * (mean over the batch, gradient accumulation, loss scale).
 */
import { invariant } from "../../errors.ts";
import { bindOp, type OpDef } from "../graph/op.ts";
import { dim, elementCount, type Tensor } from "../graph/tensor.ts";
import type { Graph } from "../graph/graph.ts";
import source from "../kernels/diffusion-loss.wgsl?raw";

const kernel = { name: "diffusion-loss", source };

const diffusionLossOp: OpDef<object> = {
  kind: "diffusionLoss",
  outputs: ({ pred }) => [{ shape: [dim(pred!, 0)] }, { shape: pred!.shape }],
  lower(ctx) {
    const pred = ctx.input("pred");
    const batch = dim(pred, 0);
    const width = elementCount(pred.shape) / batch / 4;
    invariant(Number.isInteger(width), "the loss needs samples of a multiple of 4 elements");
    const bindings = {
      pred,
      target_: ctx.input("target"),
      weights: ctx.input("weights"),
      loss: ctx.output(0),
      dpred: ctx.output(1),
      guard: ctx.accumulated("guard"),
    };
    return [{ kernel, defines: {}, bindings, params: { width }, grid: [batch, 1, 1] }];
  },
  reference({ pred, target, weights, guard }) {
    const batch = pred!.shape[0]!;
    const n = pred!.data.length / batch;
    const loss = new Float64Array(batch);
    const dpred = pred!.data.map((value, i) => {
      const b = Math.floor(i / n);
      const delta = value - target!.data[i]!;
      loss[b] = loss[b]! + (delta * delta * weights!.data[2 * b]!) / n;
      return (2 * delta * weights!.data[2 * b + 1]!) / n;
    });
    const flag = Float64Array.from(guard!.data);
    if (!loss.every(Number.isFinite)) flag[0] = 1;
    return [loss, dpred, flag];
  },
};

/**
 * @param weights [B,2]: per sample the weight in the logged loss and the weight in the gradient
 * @param loss output tensor [B] that the CPU reads
 * @param guard output tensor [4] whose element 0 is set to 1 by a loss that is not finite
 * @returns gradient of the prediction
 */
export function diffusionLoss(graph: Graph, pred: Tensor, target: Tensor, weights: Tensor, loss: Tensor, guard: Tensor): Tensor {
  const dpred = graph.tensor("temp", pred.shape, "f32", "diffusionLoss/dpred");
  graph.addBound(bindOp(diffusionLossOp, {}), { pred, target, weights }, { outputs: [loss, dpred], accumulates: { guard } });
  return dpred;
}
