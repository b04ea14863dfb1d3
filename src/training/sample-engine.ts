/** The programs of a run's samples on the GPU: they read the run's weights and its adapter, and change neither. */
import { invariant } from "../errors.ts";
import { pipelinesOf } from "../gpu/program/pipelines.ts";
import { Arena, Program } from "../gpu/program/program.ts";
import { Residents } from "../gpu/program/residents.ts";
import { loadWeights } from "../models/weight-loader.ts";
import type { PlannedModel } from "../generation/planner.ts";
import type { ProgramRunner } from "../generation/workspace.ts";
import type { Gpu } from "../gpu/device.ts";
import type { ProgramPlan } from "../gpu/program/plan.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import type { SampleMemory } from "./sample-memory.ts";

export interface RunBuffers {
  readonly checkpoint: Checkpoint;
  readonly residents: Residents;
  /** The run's, where samples are made in it. */
  readonly arena: Arena | undefined;
}

export class SampleEngine implements ProgramRunner {
  readonly #residents: Residents;
  readonly #ownArena: Arena | undefined;
  readonly #programs: ReadonlyMap<ProgramPlan, Program>;

  private constructor(residents: Residents, ownArena: Arena | undefined, programs: ReadonlyMap<ProgramPlan, Program>) {
    this.#residents = residents;
    this.#ownArena = ownArena;
    this.#programs = programs;
  }

  /**
   * Allocates, loads the decoder and compiles.
   * @throws OutOfMemoryError, ShaderCompileError, DeviceLostError, InputError for a damaged checkpoint
   */
  static async open(gpu: Gpu, memory: SampleMemory, run: RunBuffers): Promise<SampleEngine> {
    const { plan } = memory;
    const before = gpu.counters.bufferBytes;
    const residents = await Residents.allocate(gpu, memory.residents);
    const programs = new Map<ProgramPlan, Program>();
    let ownArena: Arena | undefined;
    try {
      if (run.arena === undefined) ownArena = await Arena.allocate(gpu, plan.programs);
      const arena = run.arena ?? ownArena;
      invariant(arena !== undefined, "samples without an arena");
      const places = {
        locate: (name: string) => (memory.residents.slots.has(name) ? residents : run.residents).locate(name),
      };
      await loadWeights(gpu, run.checkpoint, plan.weights, residents);
      for (const program of plan.programs) {
        programs.set(program, await Program.compile(gpu, program, { residents: places, arena, pipelines: pipelinesOf(gpu) }));
      }
      const allocated = gpu.counters.bufferBytes - before;
      invariant(allocated === memory.bytes, `planned ${memory.bytes} bytes for samples, allocated ${allocated}`);
    } catch (error) {
      for (const program of programs.values()) program.destroy();
      ownArena?.destroy();
      residents.destroy();
      throw error;
    }
    return new SampleEngine(residents, ownArena, programs);
  }

  async run(
    { plan, result }: PlannedModel, inputs: Readonly<Record<string, ArrayBufferView<ArrayBuffer>>>,
  ): Promise<Float32Array<ArrayBuffer>> {
    const program = this.#programs.get(plan);
    invariant(program !== undefined, `${plan.name} is not among the run's samples`);
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
