/**
 * Where samples have their memory. What is small beside the run is kept: the decoder's weights lie beside the run's
 * and the pictures are made in the run's working memory. What is not is allocated around each set of samples, so that
 * a run which fits alone is never refused because of its samples.
 */
import { programUniformBytes, sumBytes, type ProgramPlan } from "../gpu/program/plan.ts";
import { Arena } from "../gpu/program/program.ts";
import { planResidents, type ResidentPlan } from "../gpu/program/residents.ts";
import type { EngineLimits } from "../gpu/tier.ts";
import type { SamplePlan } from "./sample-plan.ts";

export interface SampleMemory {
  readonly plan: SamplePlan;
  /** Allocated with the run and in its arena; otherwise around each set of samples, with an arena of its own. */
  readonly isKept: boolean;
  /** The decoder's weights, and the inputs of all programs. */
  readonly residents: ResidentPlan;
  /** Bytes beside the run's own while pictures are made; where kept, the run's arena may have grown as well. */
  readonly bytes: number;
}

/** Samples are kept if they take at most this share of what the run takes without them … */
const keptShare = 1 / 8;
/** … or so little that it does not matter. */
const alwaysKeptBytes = 64 * 2 ** 20;

export interface RunMemory {
  readonly residents: ResidentPlan;
  readonly programs: readonly ProgramPlan[];
  /** Of the run without samples. */
  readonly bytes: number;
}

export function placeSamples(plan: SamplePlan, run: RunMemory, limits: EngineLimits): SampleMemory {
  const residents = planResidents(
    plan.programs.flatMap((program) => program.residents).filter(({ name, role }) => role === "input" || !run.residents.slots.has(name)),
    limits,
  );
  const own = residents.totalBytes + programUniformBytes(plan.programs);
  const growth = sumBytes(Arena.chunkBytes([...run.programs, ...plan.programs])) - sumBytes(Arena.chunkBytes(run.programs));
  const isKept = own + growth <= Math.max(alwaysKeptBytes, keptShare * run.bytes);
  return { plan, isKept, residents, bytes: isKept ? own : own + sumBytes(Arena.chunkBytes(plan.programs)) };
}
