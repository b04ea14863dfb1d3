/** What the engine promises around the numbers: nothing is created in a warm step, failures are typed, state survives. */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { AdapterSet } from "../../src/lora/adapter-set.ts";
import { loraTargets } from "../../src/models/names.ts";
import { adamW, adamWDefaults } from "../../src/gpu/optimizers/adamw.ts";
import { DeviceLostError, OutOfMemoryError } from "../../src/gpu/errors.ts";
import { initialAdapter } from "../../src/training/adapter-init.ts";
import { gaussian } from "../../src/random/rng.ts";
import { StepEngine, type MicroBatch } from "../../src/training/step-engine.ts";
import { planTraining, trainingBytes, type BatchShape, type TrainingPlan } from "../../src/training/training-plan.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { openMini } from "./harness/reference-data.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";

const shapes: BatchShape[] = [
  { batch: 2, height: 8, width: 8 },
  { batch: 1, height: 8, width: 16 },
];

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openMini("sd1");
});

let gpu: Gpu | undefined;
afterEach(() => gpu?.destroy());

function planFor(device: Gpu): TrainingPlan {
  return planTraining({
    checkpoint,
    tier: device.tier,
    adapters: new AdapterSet(loraTargets(checkpoint), { rank: 3, alpha: 1, trains: { unet: true, textEncoder: false } }),
    optimizer: adamW(adamWDefaults),
    shapes,
    checkpointing: false,
    clipSkip: 1,
    lossType: "l2",
    accumulation: 2,
  });
}

function batch(shape: BatchShape, index: number, scale = 1): MicroBatch {
  const count = shape.batch * shape.height * shape.width * 4;
  const values = (stream: number): Float32Array<ArrayBuffer> => gaussian(5, "noise", index * 10 + stream, count).map((v) => v * scale);
  return {
    shape,
    x: values(0),
    target: values(1),
    timesteps: Int32Array.from({ length: shape.batch }, (_, b) => 100 * b + 17),
    lossWeights: new Float32Array(shape.batch).fill(1),
    text: { context: gaussian(5, "noise", index * 10 + 2, shape.batch * 77 * checkpoint.unet.contextDim) },
  };
}

async function open(device: Gpu): Promise<StepEngine> {
  const engine = await StepEngine.create(device, planFor(device));
  engine.adapters.write("params", initialAdapter(engine.plan.options.adapters, 1));
  return engine;
}

describe("StepEngine", () => {
  it("creates no buffer, bind group or pipeline in a warm step, also when the batch shape changes", async () => {
    gpu = await openTestGpu({ defaultLimitsOnly: true });
    const engine = await open(gpu);
    const created = { buffers: 0, bindGroups: 0, pipelines: 0 };
    const { device } = gpu;
    const count = <K extends "createBuffer" | "createBindGroup" | "createComputePipeline" | "createComputePipelineAsync" | "createShaderModule">(
      method: K,
      counter: keyof typeof created,
    ): void => {
      const original = device[method].bind(device) as (...args: unknown[]) => unknown;
      Object.defineProperty(device, method, {
        value: (...args: unknown[]) => {
          created[counter]++;
          return original(...args);
        },
      });
    };
    count("createBuffer", "buffers");
    count("createBindGroup", "bindGroups");
    count("createComputePipeline", "pipelines");
    count("createComputePipelineAsync", "pipelines");
    count("createShaderModule", "pipelines");
    for (let step = 1; step <= 2; step++) {
      const report = await engine.runUpdate([batch(shapes[0]!, step), batch(shapes[1]!, step)], { unet: 1e-3 }, step, 1);
      expect(report.isFinite).toBe(true);
      expect(report.losses).toHaveLength(2);
    }
    expect(created).toEqual({ buffers: 0, bindGroups: 0, pipelines: 0 });
    // The hooks do see what is created outside of the step loop.
    await engine.adapters.read("params");
    expect(created.buffers).toBeGreaterThan(0);
    engine.destroy();
  });

  it.skipIf(isSlowAdapter)("allocates the bytes that were planned and frees them all", async () => {
    gpu = await openTestGpu();
    const engine = await open(gpu);
    expect(gpu.counters.bufferBytes).toBe(trainingBytes(engine.plan));
    engine.destroy();
    expect(gpu.counters.bufferBytes).toBe(0);
  });

  it.skipIf(isSlowAdapter)("repeats an update bit for bit", async () => {
    gpu = await openTestGpu();
    const finals: string[] = [];
    for (let run = 0; run < 2; run++) {
      const engine = await open(gpu);
      for (let step = 1; step <= 3; step++) await engine.runUpdate([batch(shapes[step % 2]!, step)], { unet: 1e-3 }, step, 1);
      finals.push(JSON.stringify([...(await engine.adapters.read("params"))].map(([name, w]) => [name, ...Object.entries(w).map(([key, values]) => [key, [...values]])])));
      engine.destroy();
    }
    expect(finals[1]).toBe(finals[0]);
  });

  it("reports a loss that is not finite and leaves adapter and optimizer state as they were", async () => {
    gpu = await openTestGpu();
    const engine = await open(gpu);
    await engine.runUpdate([batch(shapes[0]!, 1)], { unet: 1e-3 }, 1, 1);
    const read = async (): Promise<string> =>
      JSON.stringify(await Promise.all((["params", 0, 1] as const).map(async (bank) => [...(await engine.adapters.read(bank))].map(([, w]) => Object.values(w).map((values) => [...values])))));
    const before = await read();
    const report = await engine.runUpdate([batch(shapes[0]!, 2, 1e30)], { unet: 1e-3 }, 2, 1);
    expect(report.isFinite).toBe(false);
    expect(await read()).toBe(before);
    const next = await engine.runUpdate([batch(shapes[0]!, 3)], { unet: 1e-3 }, 2, 1);
    expect(next.isFinite, "the gradients of the bad step are gone").toBe(true);
    engine.destroy();
  });

  it.skipIf(isSlowAdapter)("says that the device was lost when it goes away in mid-step", async () => {
    gpu = await openTestGpu();
    const engine = await open(gpu);
    const update = engine.runUpdate([batch(shapes[0]!, 1)], { unet: 1e-3 }, 1, 1);
    gpu.device.destroy();
    await expect(update).rejects.toBeInstanceOf(DeviceLostError);
    await expect(engine.runUpdate([batch(shapes[0]!, 1)], { unet: 1e-3 }, 1, 1)).rejects.toBeInstanceOf(DeviceLostError);
  });

  it("names what did not fit when memory runs out, and keeps nothing of it", async () => {
    gpu = await openTestGpu();
    const { device } = gpu;
    // No driver here refuses memory on demand, so the device's own answer to a failed allocation is played to the
    // engine: an out-of-memory error in the scope that is open while the activations are created.
    const original = device.popErrorScope.bind(device);
    const createBuffer = device.createBuffer.bind(device);
    let scopes = 0;
    let isActivations = false;
    Object.defineProperty(device, "createBuffer", {
      value: (descriptor: GPUBufferDescriptor) => {
        isActivations ||= descriptor.label?.startsWith("activations") === true;
        return createBuffer(descriptor);
      },
    });
    Object.defineProperty(device, "popErrorScope", {
      value: async () => {
        const real = await original();
        return isActivations && ++scopes === 2 ? ({ message: "out of memory" } as GPUError) : real;
      },
    });
    await expect(StepEngine.create(gpu, planFor(gpu))).rejects.toThrow(OutOfMemoryError);
    expect(gpu.counters.bufferBytes).toBe(0);
  });
});
