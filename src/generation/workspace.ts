/**
 * GPU memory and programs of one picture. The next picture of the same size finds them ready; one of another size gets
 * its own in their place, so that never more is taken than was forecast.
 */
import { invariant } from "../errors.ts";
import { pipelinesOf } from "../gpu/program/pipelines.ts";
import { Arena, Program } from "../gpu/program/program.ts";
import { Residents } from "../gpu/program/residents.ts";
import { planInputs } from "./forecast.ts";
import type { Gpu } from "../gpu/device.ts";
import type { ProgramPlan } from "../gpu/program/plan.ts";
import type { PlannedModel } from "./planner.ts";

interface ReadyProgram {
  readonly program: Program;
  readonly inputs: Residents;
}

/** What has programs ready to run. */
export interface ProgramRunner {
  /** @returns the program's result, flat */
  run(model: PlannedModel, inputs: Readonly<Record<string, ArrayBufferView<ArrayBuffer>>>): Promise<Float32Array<ArrayBuffer>>;
}

export class Workspace implements ProgramRunner {
  readonly #gpu: Gpu;
  readonly #weights: Residents;
  readonly #programs = new Map<ProgramPlan, ReadyProgram>();
  #arena: Arena | undefined;

  constructor(gpu: Gpu, weights: Residents) {
    this.#gpu = gpu;
    this.#weights = weights;
  }

  /**
   * Makes exactly these programs ready.
   * @throws OutOfMemoryError, ShaderCompileError, DeviceLostError
   */
  async prepare(plans: readonly ProgramPlan[], onCompile?: (done: number, total: number) => void): Promise<void> {
    for (const plan of this.#programs.keys()) if (!plans.includes(plan)) this.#drop(plan);
    const sizes = Arena.chunkBytes(plans);
    let arena = this.#arena;
    if (arena === undefined || !hasSizes(arena, sizes)) {
      this.destroy();
      arena = this.#arena = await Arena.allocate(this.#gpu, plans);
    }
    const missing = plans.filter((plan) => !this.#programs.has(plan));
    const total = missing.reduce((sum, { calls }) => sum + calls.length, 0);
    let before = 0;
    for (const plan of missing) {
      const inputs = await Residents.allocate(this.#gpu, planInputs(plan, this.#gpu.tier.limits));
      const residents = {
        locate: (name: string) => (inputs.plan.slots.has(name) ? inputs : this.#weights).locate(name),
      };
      try {
        const memory = { residents, arena, pipelines: pipelinesOf(this.#gpu) };
        const done = before;
        const program = await Program.compile(this.#gpu, plan, memory, (calls) => onCompile?.(done + calls, total));
        this.#programs.set(plan, { program, inputs });
      } catch (error) {
        inputs.destroy();
        throw error;
      }
      before += plan.calls.length;
    }
  }

  /** Runs a program that is ready. @returns its result, flat */
  async run(
    { plan, result }: PlannedModel, inputs: Readonly<Record<string, ArrayBufferView<ArrayBuffer>>>,
  ): Promise<Float32Array<ArrayBuffer>> {
    const ready = this.#programs.get(plan);
    invariant(ready !== undefined, `${plan.name} is not ready`);
    for (const [name, data] of Object.entries(inputs)) ready.inputs.write(name, data);
    ready.program.run();
    return new Float32Array(await ready.program.readTemp(result));
  }

  destroy(): void {
    for (const plan of this.#programs.keys()) this.#drop(plan);
    this.#arena?.destroy();
    this.#arena = undefined;
  }

  #drop(plan: ProgramPlan): void {
    const ready = this.#programs.get(plan);
    ready?.program.destroy();
    ready?.inputs.destroy();
    this.#programs.delete(plan);
  }
}

function hasSizes({ buffers }: Arena, sizes: readonly number[]): boolean {
  return buffers.length === sizes.length && buffers.every(({ size }, i) => size === sizes[i]);
}
