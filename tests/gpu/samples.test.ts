/** Samples while training: they are what the LoRA of that moment gives, and training does not notice them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { CancelledError } from "../../src/errors.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { sumBytes } from "../../src/gpu/program/plan.ts";
import { Arena } from "../../src/gpu/program/program.ts";
import { Generator } from "../../src/generation/generator.ts";
import { describeOrigin } from "../../src/training/run-origin.ts";
import { planDataset } from "../../src/training/run-plan.ts";
import { planRun } from "../../src/training/run-settings.ts";
import { writeResult } from "../../src/training/result.ts";
import { StepEngine } from "../../src/training/step-engine.ts";
import { planTraining, trainingBytes } from "../../src/training/training-plan.ts";
import { forecast } from "../../src/training/forecast.ts";
import { train, type TrainHost } from "../../src/training/trainer.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { openWideMini } from "./harness/generation-models.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";
import type { LogEntry, SamplePicture, SamplingEvent, Verdict } from "../../src/training/events.ts";
import type { RunState } from "../../src/training/state-file.ts";

let gpu: Gpu;
let checkpoint: Checkpoint;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
  checkpoint = await openWideMini("sd1");
});
afterAll(() => gpu.destroy());

const size = 64;
const pictures = [0, 1, 2].map((i) => ({
  path: `${i}.png`,
  size: [size, size] as const,
  repeats: 1,
  caption: ["a cat", "a dog", "a photo of a bird"][i]!,
  decode: async () => ({
    width: size,
    height: size,
    data: Uint8Array.from({ length: size * size * 4 }, (_, at) => (at % 4 === 3 ? 255 : (at * (3 + i) + (at >> 7) * 31) & 255)),
  }),
}));

const base: TrainingConfig = {
  ...defaultConfig(),
  resolution: [size, size],
  enable_bucket: false,
  network_dim: 4,
  network_alpha: 2,
  learning_rate: 1e-2,
  max_train_steps: 4,
  seed: 11,
  optimizer_type: "AdamW",
};
const prompts = "a photo of a cat --s 3 --l 5 --d 7 --ss euler_a --n dog\n# no picture\na (dog:1.3) --s 2 --l 1";
const sampled: TrainingConfig = { ...base, sample_prompts: prompts, sample_every_n_steps: 2, sample_at_first: true };

interface Seen {
  readonly pictures: SamplePicture[];
  readonly events: SamplingEvent[];
  readonly log: LogEntry[];
}

async function run(config: TrainingConfig, host: Partial<TrainHost> = {}): Promise<Seen & { readonly state: RunState }> {
  const seen: Seen = { pictures: [], events: [], log: [] };
  const facts = await describeOrigin({
    checkpoint, config, dataset: { subsets: [], pictures }, plan: planDataset(pictures, config), sessionId: 1, startedAt: 0,
  });
  const state = await train(gpu, { checkpoint, config, pictures, facts }, {
    signal: new AbortController().signal,
    phase: () => undefined,
    log: (entry) => seen.log.push(entry),
    keepCheckpoint: async () => undefined,
    afterStep: async (): Promise<Verdict> => "continue",
    sampling: (event) => void seen.events.push(event),
    sample: async (picture) => void seen.pictures.push(picture),
    ...host,
  });
  return { ...seen, state };
}

const bytesOf = ({ weights, optimizer }: RunState): string =>
  JSON.stringify([weights, ...optimizer].map((bank) => [...bank].map(([name, factors]) => [name, ...Object.values(factors).map((values) => [...values])])));
const pixelsOf = ({ rgba }: Pick<SamplePicture, "rgba">): string => Buffer.from(rgba).toString("base64");

/** Largest difference of two pictures, and their mean one. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): { most: number; mean: number } {
  let [most, sum] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const d = Math.abs(a[i]! - b[i]!);
    most = Math.max(most, d);
    sum += d;
  }
  return { most, mean: sum / a.length };
}

describe("samples", () => {
  for (const [name, sides] of [
    ["UNet alone", { network_train_unet_only: true }],
    ["UNet and text encoder", {}],
  ] as const) {
    it.skipIf(isSlowAdapter)(`leave training bit-identical, and are the pictures of the LoRA of their step (${name})`, async () => {
      const without = await run({ ...base, ...sides });
      const config = { ...sampled, ...sides };
      const states = new Map<number, RunState>();
      const { state, pictures: made, log, events } = await run(config, {
        afterStep: async (report, snapshot) => {
          states.set(report.step, await snapshot());
          return "continue";
        },
      });
      expect(bytesOf(state)).toBe(bytesOf(without.state));
      expect(log.filter(({ level }) => level !== "info")).toEqual([]);
      expect(made.map(({ step, index, epoch, seed, hasOwnSeed, width, height }) => [step, index, epoch, seed, hasOwnSeed, width, height])).toEqual(
        [0, 2, 4].flatMap((step) => {
          const epoch = step === 0 ? 0 : step === 4 ? 2 : undefined;
          return [[step, 0, epoch, 7, true, 64, 64], [step, 1, epoch, 12, false, 64, 64]];
        }),
      );
      expect(events.filter(({ kind }) => kind !== "progress").map(({ kind, step }) => `${kind} ${step}`)).toEqual(
        [0, 2, 4].flatMap((step) => [`begin ${step}`, `end ${step}`]),
      );

      const generator = await Generator.open(gpu, { checkpoint });
      try {
        const request = {
          prompt: "a photo of a cat", negative: "dog", seed: 7, steps: 3, cfg: 5, sampler: "euler_a", schedule: "automatic",
          width: 64, height: 64, clipSkip: 1,
        } as const;
        const untrained = await generator.generate(request);
        // At step 0 the adapter is there and does nothing.
        expect(difference(made[0]!.rgba, untrained.rgba)).toEqual({ most: 0, mean: 0 });
        const file = await openSafetensors(blobSource(new Blob([writeResult(states.get(2)!, 0)]), "two.safetensors"));
        await generator.addAdapter(file);
        const adapters = [{ name: "two", unet: 1, textEncoder: 1 }];
        const merged = await generator.generate(request, { adapters });
        // Merging rounds the weights to f16, factors beside them don't.
        const close = difference(made[2]!.rgba, merged.rgba);
        const far = difference(made[2]!.rgba, untrained.rgba);
        expect(close.mean).toBeLessThan(0.5);
        expect(close.most).toBeLessThanOrEqual(3);
        expect(far.mean, "the LoRA shows").toBeGreaterThan(10 * close.mean);
      } finally {
        await generator.destroy();
      }
    });
  }

  it("are made in the bytes that were planned, kept beside the run or around it, with the same pixels", async () => {
    const shapes = planDataset(pictures, sampled).shapes;
    const plan = planRun(checkpoint, sampled, shapes, gpu.tier);
    const { samples } = plan.options;
    if (samples === undefined || plan.samples === undefined) throw new Error("no samples are planned");
    expect(plan.samples.isKept, "a small model's samples are small").toBe(true);
    const predicted = forecast(plan, {});
    expect(predicted.parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(trainingBytes(plan));
    expect(predicted.parts.find(({ key }) => key === "samples")?.bytes).toBe(plan.samples.bytes);

    const alone = planTraining({ ...plan.options, samples: { ...samples, samples: [] } });
    expect(alone.samples).toBeUndefined();
    // As it is for samples that are large beside their run: the mini model's never are.
    const apart = { ...alone, samples: { ...plan.samples, isKept: false, bytes: plan.samples.bytes + sumBytes(Arena.chunkBytes(samples.programs)) } };
    const pixels: string[] = [];
    for (const chosen of [plan, apart]) {
      const before = gpu.counters.bufferBytes;
      const engine = await StepEngine.create(gpu, chosen);
      expect(gpu.counters.bufferBytes - before).toBe(trainingBytes(chosen));
      const peak = await engine.withSamples(async (runner) => {
        const [first] = samples.samples;
        const latents = new Float32Array(8 * 8 * 4).map((_, i) => Math.sin(i));
        pixels.push(Buffer.from((await runner.run(first!.plan.decoder, { latents })).buffer).toString("base64"));
        return gpu.counters.bufferBytes - before;
      });
      const drawing = chosen.samples!.isKept ? 0 : chosen.samples!.bytes;
      expect(peak).toBe(trainingBytes(chosen) + drawing);
      expect(gpu.counters.bufferBytes - before).toBe(trainingBytes(chosen));
      engine.destroy();
      expect(gpu.counters.bufferBytes).toBe(before);
    }
    expect(pixels[1]).toBe(pixels[0]);
    const phases = forecast(apart, {}).phases;
    expect(phases.find(({ phase }) => phase === "sample")?.peakBytes).toBe(trainingBytes(apart) + apart.samples.bytes);
  });

  it.skipIf(isSlowAdapter)("come when they are asked for, once for a step, and not at all where the owner wants no more", async () => {
    const unscheduled = { ...sampled, sample_every_n_steps: null, sample_at_first: false, max_train_steps: 2 };
    const asked = await run(unscheduled, {
      afterStep: async ({ step }, _, drawSamples) => {
        if (step !== 1) return "continue";
        await drawSamples();
        return drawSamples();
      },
    });
    expect(asked.pictures.map(({ step, index }) => [step, index])).toEqual([[1, 0], [1, 1]]);

    const stopped = await run({ ...unscheduled, sample_every_n_steps: 1 }, {
      sampling: async (event) => (event.kind === "progress" ? "stop" : undefined),
    });
    expect(stopped.pictures).toEqual([]);
    expect(stopped.state.update).toBe(1);

    const first = run({ ...unscheduled, sample_at_first: true }, { sampling: async ({ kind }) => (kind === "progress" ? "stop" : undefined) });
    await expect(first).rejects.toBeInstanceOf(CancelledError);
  });

  it.skipIf(isSlowAdapter)("that cannot be made are logged and end no run", async () => {
    const bad = { ...sampled, max_train_steps: 2, sample_at_first: false, sample_prompts: "a --ss lcm --s 51\nb --s x\nc --g 3 --s 1\n<hypernet:x:1> d\n<lora:x:1> e --s 1" };
    const { state, log, pictures: made } = await run(bad);
    expect(state.update).toBe(2);
    expect(made.map(({ index, prompt }) => [index, prompt])).toEqual([[1, "c"], [3, "<lora:x:1> e"]]);
    expect(log.filter(({ code }) => code.startsWith("samples.")).map(({ code, data }) => [code, data?.["line"]])).toEqual([
      ["samples.badLine", undefined], ["samples.refused", 1], ["samples.refused", 4], ["samples.ignored", 3], ["samples.lora", 5],
      ["samples.smaller", undefined],
    ]);
  });

  it("a picture that cannot be kept is logged and ends no run", async () => {
    const { state, log } = await run({ ...sampled, max_train_steps: 1, sample_every_n_steps: null }, {
      sample: async () => {
        throw new Error("no room.");
      },
    });
    expect(state.update).toBe(1);
    expect(log.filter(({ code }) => code === "samples.failedLine").map(({ text }) => text)).toEqual([
      "No sample of line 1 at step 0: no room. Training goes on.",
      "No sample of line 3 at step 0: no room. Training goes on.",
    ]);
  });

  it.skipIf(isSlowAdapter)("of the same step are the same pictures again", async () => {
    const once = { ...sampled, max_train_steps: 1, sample_every_n_steps: null };
    const [one, two] = [await run(once), await run(once)];
    expect(two.pictures.map(pixelsOf)).toEqual(one.pictures.map(pixelsOf));
  });
});
