import { beforeAll, describe, expect, it } from "vitest";
import { defaultConfig } from "../../src/config/parameters.ts";
import { BindingTooLargeError, planMemory, type CallAccess, type MemoryPlan } from "../../src/gpu/graph/memory-plan.ts";
import { byteLength, type Tensor } from "../../src/gpu/graph/tensor.ts";
import { defaultLimits, portableTier } from "../../src/gpu/tier.ts";
import { planRun } from "../../src/training/run-settings.ts";
import { headerOnlyCheckpoint } from "./harness/header-only.ts";

function temp(id: number, elements: number): Tensor {
  return { id, role: "temp", shape: [elements], dtype: "f32", name: `t${id}`, pool: "temp" };
}

/** Small seeded generator. */
function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
}

/** Throws where two live tensors overlap or a call reads and writes the same buffer. */
function verify(calls: readonly CallAccess[], plan: MemoryPlan): void {
  const placed = [...plan.placements].map(([tensor, place]) => ({ tensor, ...place, life: plan.lifetimes.get(tensor)! }));
  for (const a of placed) {
    expect(a.offset % 256).toBe(0);
    expect(a.offset + a.life.bytes).toBeLessThanOrEqual(plan.chunkBytes[a.chunk]!);
    expect(a.life.bytes).toBeGreaterThanOrEqual(byteLength(a.tensor));
  }
  for (let i = 0; i < placed.length; i++) {
    for (let j = i + 1; j < placed.length; j++) {
      const [a, b] = [placed[i]!, placed[j]!];
      if (a.chunk !== b.chunk || a.life.last < b.life.first || b.life.last < a.life.first) continue;
      if (a.offset < b.offset + b.life.bytes && b.offset < a.offset + a.life.bytes) {
        throw new Error(`${a.tensor.name} and ${b.tensor.name} overlap`);
      }
    }
  }
  calls.forEach(({ reads, writes }, index) => {
    const written = new Set(writes.flatMap((tensor) => plan.placements.get(tensor)?.chunk ?? []));
    for (const tensor of reads) {
      const chunk = plan.placements.get(tensor)?.chunk;
      if (chunk !== undefined && written.has(chunk)) throw new Error(`call ${index} reads and writes buffer ${chunk}`);
    }
  });
}

describe("planMemory", () => {
  it.each([1, 2, 3, 4, 5])("never lets live tensors overlap, nor a call read the buffer that it writes (random programs %i)", (seed) => {
    const next = generator(seed);
    const tensors: Tensor[] = [temp(0, 1 + next(5000))];
    const calls: CallAccess[] = [{ reads: [], writes: [tensors[0]!] }];
    for (let i = 1; i < 300; i++) {
      const reads = Array.from({ length: 1 + next(3) }, () => tensors[Math.max(0, tensors.length - 1 - next(40))]!);
      const writes = Array.from({ length: 1 + next(2) }, () => temp(tensors.length + next(1), 1 + next(20_000)));
      tensors.push(...writes);
      calls.push({ reads, writes });
    }
    const plan = planMemory(calls, new Set([tensors[7]!]), defaultLimits);
    verify(calls, plan);
    expect(plan.totalBytes).toBeGreaterThanOrEqual(plan.peakLiveBytes);
    expect(plan.lifetimes.get(tensors[7]!)?.last, "a kept tensor lives to the end").toBe(calls.length);
  });

  it("refuses a tensor that no binding of the device can hold, by name", () => {
    const huge = { ...temp(0, 40 * 2 ** 20), name: "ff.net.0.proj" };
    expect(() => planMemory([{ reads: [], writes: [huge] }], new Set(), defaultLimits)).toThrow(BindingTooLargeError);
    expect(() => planMemory([{ reads: [], writes: [huge] }], new Set(), defaultLimits)).toThrow(/ff\.net\.0\.proj/);
  });
});

describe("the plan of a real SD1.5 step", () => {
  let plan: ReturnType<typeof planRun>;
  beforeAll(async () => {
    const config = { ...defaultConfig(), network_dim: 16, learning_rate: 1e-4, gradient_checkpointing: true };
    plan = planRun(await headerOnlyCheckpoint("sd15"), config, [{ batch: 1, height: 64, width: 64 }], portableTier);
  });

  it("obeys both rules within 3 % of the least memory that any plan needs", () => {
    const [step] = [...plan.steps.values()];
    const calls = step!.calls.map(({ tensors, shader }) => ({
      reads: tensors.filter((_, i) => !shader.bindings[i]!.writable),
      writes: tensors.filter((_, i) => shader.bindings[i]!.writable),
    }));
    verify(calls, step!.memory);
    expect(step!.memory.totalBytes / step!.memory.peakLiveBytes).toBeLessThan(1.03);
    for (const bytes of step!.memory.chunkBytes) expect(bytes).toBeLessThanOrEqual(defaultLimits.maxBufferSize);
  });
});
