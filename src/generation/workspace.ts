/**
 * GPU memory and programs of one picture. The next picture of the same size finds them ready; one of another size gets
 * its own in their place, so that never more is taken than was forecast.
 */
import { invariant } from "../errors.ts";
import { programUniformBytes, sumBytes, type ProgramPlan } from "../gpu/program/plan.ts";
import { Arena } from "../gpu/program/program.ts";
import { ForwardRunner, type PlannedModel, type ProgramRunner } from "../models/forward-runner.ts";
import { planInputs } from "./forecast.ts";
import type { Gpu } from "../gpu/device.ts";
import type { CompileProgress } from "../gpu/program/compile.ts";
import type { Residents } from "../gpu/program/residents.ts";

export class Workspace implements ProgramRunner {
  readonly #gpu: Gpu;
  readonly #weights: Residents;
  /** Each with inputs of its own; all work in one arena. */
  readonly #runners = new Map<ProgramPlan, ForwardRunner>();
  #arena: Arena | undefined;

  constructor(gpu: Gpu, weights: Residents) {
    this.#gpu = gpu;
    this.#weights = weights;
  }

  /**
   * Makes exactly these programs ready.
   * @param onCompile not called where all of them are ready already
   * @throws OutOfMemoryError, ShaderCompileError, DeviceLostError
   */
  async prepare(plans: readonly ProgramPlan[], onCompile?: CompileProgress): Promise<void> {
    for (const plan of this.#runners.keys()) if (!plans.includes(plan)) this.#drop(plan);
    const sizes = Arena.chunkBytes(plans);
    let arena = this.#arena;
    if (arena === undefined || !hasSizes(arena, sizes)) {
      this.destroy();
      arena = this.#arena = await Arena.allocate(this.#gpu, plans);
    }
    const missing = plans.filter((plan) => !this.#runners.has(plan));
    const total = sumBytes(missing.map(({ calls }) => calls.length));
    let before = 0;
    for (const plan of missing) {
      const own = planInputs(plan, this.#gpu.tier.limits);
      const memory = { own, shared: this.#weights, arena, bytes: own.totalBytes + programUniformBytes([plan]) };
      const finished = before;
      const runner = await ForwardRunner.open(this.#gpu, [plan], memory, { onCompile: (done) => onCompile?.(finished + done, total) });
      this.#runners.set(plan, runner);
      before += plan.calls.length;
    }
  }

  /** Runs a program that is ready. */
  async run(
    model: PlannedModel, inputs: Readonly<Record<string, ArrayBufferView<ArrayBuffer>>>,
  ): Promise<Float32Array<ArrayBuffer>> {
    const runner = this.#runners.get(model.plan);
    invariant(runner !== undefined, `${model.plan.name} is not ready`);
    return runner.run(model, inputs);
  }

  destroy(): void {
    for (const plan of this.#runners.keys()) this.#drop(plan);
    this.#arena?.destroy();
    this.#arena = undefined;
  }

  #drop(plan: ProgramPlan): void {
    this.#runners.get(plan)?.destroy();
    this.#runners.delete(plan);
  }
}

function hasSizes({ buffers }: Arena, sizes: readonly number[]): boolean {
  return buffers.length === sizes.length && buffers.every(({ size }, i) => size === sizes[i]);
}
