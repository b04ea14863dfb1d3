/** A frozen model run forward only, for some input shapes: VAE and text encoder while caching. */
import { invariant } from "../errors.ts";
import { planProgram, programUniformBytes, sumBytes, type ProgramPlan } from "../gpu/program/plan.ts";
import { Arena } from "../gpu/program/program.ts";
import { planResidents, type ResidentPlan } from "../gpu/program/residents.ts";
import { ForwardRunner, type PlannedModel } from "../models/forward-runner.ts";
import type { LoadOptions } from "../models/weight-loader.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Graph, WeightSource } from "../gpu/graph/graph.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import type { Tier } from "../gpu/tier.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

/** One input shape: its graph and the kept tensor that is read back. */
export interface ForwardVariant {
  readonly key: string;
  readonly graph: Graph;
  readonly result: Tensor;
}

export interface ForwardPlan {
  readonly variants: ReadonlyMap<string, PlannedModel>;
  readonly residents: ResidentPlan;
  readonly weights: ReadonlyMap<Tensor, WeightSource>;
  readonly arenaBytes: readonly number[];
}

export function planForward(variants: readonly ForwardVariant[], tier: Tier): ForwardPlan {
  const plans = new Map<string, PlannedModel>();
  const weights = new Map<Tensor, WeightSource>();
  const seen = new Set<string>();
  for (const { key, graph, result } of variants) {
    plans.set(key, { plan: planProgram(key, graph, tier), result });
    for (const [tensor, source] of graph.weights) {
      if (!seen.has(tensor.name)) weights.set(tensor, source);
      seen.add(tensor.name);
    }
  }
  const all = [...plans.values()].map(({ plan }) => plan);
  const residents = planResidents(all.flatMap((plan) => plan.residents), tier.limits);
  return { variants: plans, residents, weights, arenaBytes: Arena.chunkBytes(all) };
}

/** GPU bytes while the model runs. */
export function forwardBytes(plan: ForwardPlan): number {
  return plan.residents.totalBytes + sumBytes(plan.arenaBytes) + programUniformBytes(programsOf(plan));
}

export function variantOf({ variants }: ForwardPlan, key: string): PlannedModel {
  const found = variants.get(key);
  invariant(found !== undefined, `no program ${key}`);
  return found;
}

/** Puts the model on the GPU. @throws as `ForwardRunner.open` */
export function openForward(gpu: Gpu, checkpoint: Checkpoint, plan: ForwardPlan, load: LoadOptions = {}): Promise<ForwardRunner> {
  const { residents: own, weights: tensors } = plan;
  const memory = { own, bytes: forwardBytes(plan) };
  return ForwardRunner.open(gpu, programsOf(plan), memory, { weights: { ...load, file: checkpoint, tensors } });
}

export function programsOf({ variants }: ForwardPlan): ProgramPlan[] {
  return [...variants.values()].map(({ plan }) => plan);
}
