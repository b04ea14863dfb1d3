/** A frozen model run forward only, for some input shapes: VAE and text encoder while caching. */
import { invariant } from "../errors.ts";
import { planProgram, programUniformBytes, sumBytes, type ProgramPlan } from "../gpu/program/plan.ts";
import { Arena, Program } from "../gpu/program/program.ts";
import { pipelinesOf } from "../gpu/program/pipelines.ts";
import { planResidents, Residents, type ResidentPlan } from "../gpu/program/residents.ts";
import { loadWeights, type LoadOptions } from "../models/weight-loader.ts";
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
  readonly variants: ReadonlyMap<string, { plan: ProgramPlan; result: Tensor }>;
  readonly residents: ResidentPlan;
  readonly weights: ReadonlyMap<Tensor, WeightSource>;
  readonly arenaBytes: readonly number[];
}

export function planForward(variants: readonly ForwardVariant[], tier: Tier): ForwardPlan {
  const plans = new Map<string, { plan: ProgramPlan; result: Tensor }>();
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
  const programs = [...plan.variants.values()].map((variant) => variant.plan);
  return plan.residents.totalBytes + sumBytes(plan.arenaBytes) + programUniformBytes(programs);
}

export class ForwardRunner {
  readonly #residents: Residents;
  readonly #arena: Arena;
  readonly #programs: ReadonlyMap<string, { program: Program; result: Tensor }>;

  private constructor(residents: Residents, arena: Arena, programs: ReadonlyMap<string, { program: Program; result: Tensor }>) {
    this.#residents = residents;
    this.#arena = arena;
    this.#programs = programs;
  }

  /** Allocates, uploads the weights and compiles. @throws OutOfMemoryError, ShaderCompileError, DeviceLostError */
  static async create(gpu: Gpu, checkpoint: Checkpoint, plan: ForwardPlan, load: LoadOptions = {}): Promise<ForwardRunner> {
    const residents = await Residents.allocate(gpu, plan.residents);
    let arena: Arena | undefined;
    const programs = new Map<string, { program: Program; result: Tensor }>();
    try {
      arena = await Arena.allocate(gpu, [...plan.variants.values()].map((variant) => variant.plan));
      await loadWeights(gpu, checkpoint, plan.weights, residents, load);
      const pipelines = pipelinesOf(gpu);
      for (const [key, variant] of plan.variants) {
        const program = await Program.compile(gpu, variant.plan, { residents, arena, pipelines });
        programs.set(key, { program, result: variant.result });
      }
      return new ForwardRunner(residents, arena, programs);
    } catch (error) {
      for (const { program } of programs.values()) program.destroy();
      arena?.destroy();
      residents.destroy();
      throw error;
    }
  }

  async run(key: string, inputs: Readonly<Record<string, ArrayBufferView<ArrayBuffer>>>): Promise<Float32Array<ArrayBuffer>> {
    const found = this.#programs.get(key);
    invariant(found !== undefined, `no program ${key}`);
    for (const [name, data] of Object.entries(inputs)) this.#residents.write(name, data);
    found.program.run();
    return new Float32Array(await found.program.readTemp(found.result));
  }

  destroy(): void {
    for (const { program } of this.#programs.values()) program.destroy();
    this.#arena.destroy();
    this.#residents.destroy();
  }
}
