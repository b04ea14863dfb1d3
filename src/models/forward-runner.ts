/** Programs that run models forward: in memory of their own, beside weights that somebody else has, or both. */
import { invariant } from "../errors.ts";
import { compilePrograms, type CompileProgress } from "../gpu/program/compile.ts";
import { pipelinesOf } from "../gpu/program/pipelines.ts";
import { Arena, type Program } from "../gpu/program/program.ts";
import { Residents, type ResidentPlan } from "../gpu/program/residents.ts";
import { loadWeights, type LoadOptions } from "./weight-loader.ts";
import type { Gpu } from "../gpu/device.ts";
import type { WeightSource } from "../gpu/graph/graph.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import type { ProgramPlan } from "../gpu/program/plan.ts";
import type { WeightFile } from "./checkpoint-types.ts";

/** A program and the kept tensor that is read back. */
export interface PlannedModel {
  readonly plan: ProgramPlan;
  readonly result: Tensor;
}

/** What has programs ready to run. */
export interface ProgramRunner {
  /** @returns the program's result, flat */
  run(model: PlannedModel, inputs: Readonly<Record<string, ArrayBufferView<ArrayBuffer>>>): Promise<Float32Array<ArrayBuffer>>;
}

export interface ForwardMemory {
  /** To be allocated: all inputs, and the weights that are to be loaded. */
  readonly own: ResidentPlan;
  /** Has what is not in `own`. */
  readonly shared?: Residents;
  /** To work in; without one, an arena for these programs is allocated. */
  readonly arena?: Arena | undefined;
  /** Forecast of all that is allocated here. Anything else is an error of the engine. */
  readonly bytes: number;
}

export interface WeightsToLoad extends LoadOptions {
  readonly file: WeightFile;
  readonly tensors: ReadonlyMap<Tensor, WeightSource>;
}

export class ForwardRunner implements ProgramRunner {
  readonly #residents: Residents;
  readonly #ownArena: Arena | undefined;
  readonly #programs: ReadonlyMap<ProgramPlan, Program>;

  private constructor(residents: Residents, ownArena: Arena | undefined, programs: ReadonlyMap<ProgramPlan, Program>) {
    this.#residents = residents;
    this.#ownArena = ownArena;
    this.#programs = programs;
  }

  /**
   * Allocates, loads the weights and compiles.
   * @throws OutOfMemoryError, ShaderCompileError, DeviceLostError, InputError for a damaged checkpoint
   */
  static async open(
    gpu: Gpu,
    programs: readonly ProgramPlan[],
    memory: ForwardMemory,
    options: { readonly weights?: WeightsToLoad; readonly onCompile?: CompileProgress | undefined } = {},
  ): Promise<ForwardRunner> {
    const { own, shared, bytes } = memory;
    const { weights, onCompile } = options;
    const before = gpu.counters.bufferBytes;
    const residents = await Residents.allocate(gpu, own);
    let ownArena: Arena | undefined;
    let runner: ForwardRunner | undefined;
    try {
      const arena = memory.arena ?? (ownArena = await Arena.allocate(gpu, programs));
      if (weights !== undefined) await loadWeights(gpu, weights.file, weights.tensors, residents, weights);
      const locate: Residents["locate"] = (name) => (own.slots.has(name) ? residents : (shared ?? residents)).locate(name);
      const compiled = await compilePrograms(gpu, programs, { residents: { locate }, arena, pipelines: pipelinesOf(gpu) }, onCompile);
      runner = new ForwardRunner(residents, ownArena, compiled);
      const allocated = gpu.counters.bufferBytes - before;
      invariant(allocated === bytes, `planned ${bytes} bytes, allocated ${allocated}`);
      return runner;
    } catch (error) {
      if (runner !== undefined) runner.destroy();
      else {
        ownArena?.destroy();
        residents.destroy();
      }
      throw error;
    }
  }

  async run(
    { plan, result }: PlannedModel, inputs: Readonly<Record<string, ArrayBufferView<ArrayBuffer>>>,
  ): Promise<Float32Array<ArrayBuffer>> {
    const program = this.#programs.get(plan);
    invariant(program !== undefined, `${plan.name} is not among the programs`);
    for (const [name, data] of Object.entries(inputs)) this.#residents.write(name, data);
    program.run();
    return new Float32Array(await program.readTemp(result));
  }

  destroy(): void {
    for (const program of this.#programs.values()) program.destroy();
    this.#ownArena?.destroy();
    this.#residents.destroy();
  }
}
