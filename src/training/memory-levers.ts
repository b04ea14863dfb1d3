/** What each setting that is about memory takes off a run's training phase, by planning it with and without. */
import { dim, elementCount, type Tensor } from "../gpu/graph/tensor.ts";
import { BindingTooLargeError } from "../gpu/graph/memory-plan.ts";
import { sumBytes, type ProgramPlan } from "../gpu/program/plan.ts";
import { planTraining, trainingBytes, type TrainingPlan, type TrainingPlanOptions } from "./training-plan.ts";

export interface MemoryLever {
  readonly key: "gradient_checkpointing" | "mixed_precision" | "fp8_base" | "attention" | "full_fp16";
  /** `always` is no choice here, and `never` is not done here. */
  readonly state: "on" | "off" | "always" | "never";
  /** GPU bytes that it saves, or would; of the largest batch. Undefined where the run can't be planned without it. */
  readonly bytes: number | undefined;
}

export function memoryLevers(plan: TrainingPlan): MemoryLever[] {
  const { options } = plan;
  const largest = largestStep(plan);
  // One shape is quick to plan, and the largest is the one that decides.
  const shape = options.shapes.reduce((a, b) => (b.batch * b.height * b.width > a.batch * a.height * a.width ? b : a));
  const bytesWith = (changed: Partial<TrainingPlanOptions>): number | undefined => {
    try {
      return trainingBytes(planTraining({ ...options, shapes: [shape], validationShapes: [], ...changed }));
    } catch (error) {
      if (error instanceof BindingTooLargeError) return undefined;
      throw error;
    }
  };
  const isPlanned = options.shapes.length === 1 && plan.validation.size === 0;
  const now = isPlanned ? trainingBytes(plan) : bytesWith({});
  const lever = (key: MemoryLever["key"], isOn: boolean, other: Partial<TrainingPlanOptions>): MemoryLever => {
    const changed = bytesWith(other);
    return { key, state: isOn ? "on" : "off", bytes: now === undefined || changed === undefined ? undefined : Math.max(0, isOn ? changed - now : now - changed) };
  };
  const isHalf = (options.activations ?? "f32") !== "f32";
  return [
    lever("gradient_checkpointing", options.checkpointing, { checkpointing: !options.checkpointing }),
    lever("mixed_precision", isHalf, { activations: isHalf ? "f32" : "f16" }),
    { key: "fp8_base", state: options.matrices === "f8" ? "on" : "off", bytes: matrixBytes(plan) },
    { key: "attention", state: "always", bytes: scoreBytes(largest, options.checkpointing, isHalf ? 2 : 4) },
    { key: "full_fp16", state: "never", bytes: trainedBytes(plan) / 2 },
  ];
}

function largestStep({ steps }: TrainingPlan): ProgramPlan {
  return [...steps.values()].reduce((a, b) => (b.flops > a.flops ? b : a));
}

/** One byte of each number in the frozen matrices. */
function matrixBytes({ weights }: TrainingPlan): number {
  return sumBytes([...weights.keys()].filter(isMatrix).map(({ shape }) => elementCount(shape)));
}

/** Tables that are read by row are none. */
function isMatrix({ dtype, name }: Tensor): boolean {
  return dtype === "f8" || (dtype === "f16" && !/embedding/.test(name));
}

/** The scores of attention that plain attention would keep for the backward; with checkpointing those of one layer. */
function scoreBytes({ calls }: ProgramPlan, checkpointing: boolean, bytesPerScore: number): number {
  const layers = new Map(calls.filter(({ node }) => node.op.kind === "attention" && !node.scope.includes("~")).map(({ node }) => [node.id, node]));
  const sizes = [...layers.values()].map(({ inputs, outputs: [, lse] }) => {
    const keys = inputs["kv"];
    return lse === undefined || keys === undefined ? 0 : elementCount(lse.shape) * dim(keys, 1) * bytesPerScore;
  });
  return checkpointing ? Math.max(0, ...sizes) : sumBytes(sizes);
}

/** What is trained, its gradients, and the optimizer's state. */
function trainedBytes({ residents }: TrainingPlan): number {
  const isTrained = (pool: string): boolean => ["params/", "grads/", "state/"].some((prefix) => pool.startsWith(prefix));
  return sumBytes([...residents.pools].filter(([pool]) => isTrained(pool)).map(([, sizes]) => sumBytes(sizes)));
}
