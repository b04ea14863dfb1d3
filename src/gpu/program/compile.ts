/** Compiles the programs of a plan one after the other. */
import { sumBytes, type ProgramPlan } from "./plan.ts";
import { Program, type ProgramMemory } from "./program.ts";
import type { Gpu } from "../device.ts";

/** Dispatches whose pipelines are ready, and in all. */
export type CompileProgress = (done: number, total: number) => void;

/** All or none. @throws OutOfMemoryError, ShaderCompileError, DeviceLostError */
export async function compilePrograms(
  gpu: Gpu, plans: readonly ProgramPlan[], memory: ProgramMemory, onProgress?: CompileProgress,
): Promise<Map<ProgramPlan, Program>> {
  const total = sumBytes(plans.map(({ calls }) => calls.length));
  const programs = new Map<ProgramPlan, Program>();
  let finished = 0;
  try {
    for (const plan of plans) {
      programs.set(plan, await Program.compile(gpu, plan, memory, (done) => onProgress?.(finished + done, total)));
      finished += plan.calls.length;
    }
    return programs;
  } catch (error) {
    for (const program of programs.values()) program.destroy();
    throw error;
  }
}
