/** What the memory settings are said to save is what planning with and without them gives. */
import { beforeAll, describe, expect, it } from "vitest";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { portableTier } from "../../src/gpu/tier.ts";
import { memoryLevers, type MemoryLever } from "../../src/training/memory-levers.ts";
import { planRun } from "../../src/training/run-settings.ts";
import { trainingBytes, type TrainingPlan } from "../../src/training/training-plan.ts";
import { headerOnlyCheckpoint } from "./harness/header-only.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";

const base: TrainingConfig = { ...defaultConfig(), network_dim: 16, network_alpha: 16, learning_rate: 1e-4, network_train_unet_only: true };

let sd15: Checkpoint;
beforeAll(async () => {
  sd15 = await headerOnlyCheckpoint("sd15");
});

function plan(settings: Partial<TrainingConfig>, batch = 1): TrainingPlan {
  return planRun(sd15, { ...base, ...settings }, [{ batch, height: 64, width: 64 }], portableTier);
}

const leverOf = (run: TrainingPlan, key: MemoryLever["key"]): MemoryLever => memoryLevers(run).find((lever) => lever.key === key)!;

describe("memoryLevers", () => {
  it.each([
    ["gradient_checkpointing", { gradient_checkpointing: true }],
    ["mixed_precision", { mixed_precision: "fp16" }],
  ] as const)("say what %s saves, the same whether it is on or off", (key, settings) => {
    const [off, on] = [plan({}), plan(settings)];
    const saved = trainingBytes(off) - trainingBytes(on);
    expect(saved).toBeGreaterThan(400 * 2 ** 20);
    expect(leverOf(off, key).state).toBe("off");
    expect(leverOf(on, key).state).toBe("on");
    for (const run of [off, on]) expect(leverOf(run, key).bytes).toBe(saved);
  }, 30_000);

  it("say what fp8_base saves, to the padding between tensors", () => {
    const [off, on] = [plan({}), plan({ fp8_base: true })];
    const saved = trainingBytes(off) - trainingBytes(on);
    expect(saved).toBeGreaterThan(810 * 2 ** 20);
    for (const run of [off, on]) expect(Math.abs(leverOf(run, "fp8_base").bytes! / saved - 1)).toBeLessThan(1e-3);
  }, 30_000);

  it("leave samples of an fp8_base run to the weights that the run has", () => {
    const run = plan({ fp8_base: true, sample_prompts: "a cat --w 64 --h 64" });
    const types = new Map([...run.weights.keys()].map(({ name, dtype }) => [name, dtype]));
    const shared = run.options.samples!.programs.flatMap(({ residents }) => residents).filter(({ name }) => types.has(name));
    expect(shared.filter(({ dtype }) => dtype === "f8").length).toBeGreaterThan(100);
    expect(shared.filter(({ name, dtype }) => types.get(name) !== dtype)).toEqual([]);
  }, 30_000);

  it("say that a batch fits only with fp16, and nothing of what the rest would do without it", () => {
    const run = plan({ mixed_precision: "fp16", gradient_checkpointing: true }, 4);
    expect(leverOf(run, "mixed_precision")).toEqual({ key: "mixed_precision", state: "on", bytes: undefined });
    expect(leverOf(run, "gradient_checkpointing").bytes).toBeGreaterThan(2 ** 30);
  }, 30_000);

  it("count the scores that attention does not keep, of one layer with checkpointing", () => {
    // SD1.5 at 64x64: self- and cross-attention of 5 blocks at full size and at a half and a quarter, one at an eighth; 8 heads.
    const scores = [64, 32, 16].reduce((sum, side) => sum + 5 * 8 * side ** 2 * (side ** 2 + 77), 8 * 64 * (64 + 77));
    expect(leverOf(plan({}), "attention")).toEqual({ key: "attention", state: "always", bytes: 4 * scores });
    const one = leverOf(plan({ gradient_checkpointing: true, mixed_precision: "bf16" }), "attention");
    expect(one.bytes).toBe(2 * 8 * 4096 * 4096);
  }, 30_000);

  it("count half of what is trained where training would be in 16 bits throughout", () => {
    const { residents } = plan({});
    const bytes = (pool: string): number => residents.pools.get(pool)!.reduce((a, b) => a + b, 0);
    expect(leverOf(plan({}), "full_fp16").bytes).toBe((bytes("params/unet") + bytes("grads/unet") + bytes("state/unet")) / 2);
  });
});
