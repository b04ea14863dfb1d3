/** The programs of a run's samples on the GPU: they read the run's weights and its adapter, and change neither. */
import { ForwardRunner } from "../models/forward-runner.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Arena } from "../gpu/program/program.ts";
import type { Residents } from "../gpu/program/residents.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import type { SampleMemory } from "./sample-memory.ts";

export interface RunBuffers {
  readonly checkpoint: Checkpoint;
  readonly residents: Residents;
  readonly arena: Arena;
}

/** Allocates what the run has not, loads the decoder and compiles. @throws as `ForwardRunner.open` */
export function openSamples(gpu: Gpu, samples: SampleMemory, run: RunBuffers): Promise<ForwardRunner> {
  const { plan, isKept, residents: own, bytes } = samples;
  const memory = { own, shared: run.residents, arena: isKept ? run.arena : undefined, bytes };
  return ForwardRunner.open(gpu, plan.programs, memory, { weights: { file: run.checkpoint, tensors: plan.weights } });
}
