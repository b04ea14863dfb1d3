/** Full training from captions to a picture: trained, sampled, interrupted, written as a checkpoint, and drawn with. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { chunksOf, type FileBytes } from "../../src/formats/streamed-file.ts";
import { Generator } from "../../src/generation/generator.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { resultFile } from "../../src/training/result.ts";
import { describeOrigin } from "../../src/training/run-origin.ts";
import { planDataset } from "../../src/training/run-plan.ts";
import { decodeState, stateFile, type RunState } from "../../src/training/state-file.ts";
import { train, type TrainHost, type TrainJob } from "../../src/training/trainer.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { openWideMini } from "./harness/generation-models.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { SamplePicture, Verdict } from "../../src/training/events.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";

let gpu: Gpu;
let checkpoint: Checkpoint;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
  checkpoint = await openWideMini("sd1");
});
afterAll(() => gpu.destroy());

const size = 64;
const pictures = ["a photo of a sks dog", "sks dog, outdoors", "a dog"].map((caption, i) => ({
  path: `${i}.png`,
  size: [size, size] as const,
  repeats: 1,
  isReg: i === 2,
  caption,
  decode: async () => ({
    width: size,
    height: size,
    data: Uint8Array.from({ length: size * size * 4 }, (_, at) => (at % 4 === 3 ? 255 : (at * (3 + i) + (at >> 7) * 31) & 255)),
  }),
}));

const config: TrainingConfig = {
  ...defaultConfig(),
  training_kind: "full",
  output_name: "whole",
  resolution: [size, size],
  enable_bucket: false,
  learning_rate: 1e-3,
  learning_rate_te: 1e-4,
  max_train_steps: 3,
  seed: 11,
  optimizer_type: "AdamW8bit",
};

async function bytesOf(file: FileBytes): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of chunksOf(file)) pieces.push(piece);
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

interface Outcome {
  readonly file: Uint8Array<ArrayBuffer>;
  readonly state: Uint8Array<ArrayBuffer>;
}

async function run(changes: Partial<TrainingConfig>, host: Partial<TrainHost> = {}, from: Pick<TrainJob, "resume"> = {}, base = checkpoint): Promise<Outcome> {
  const settings = { ...config, ...changes };
  const facts = await describeOrigin({
    checkpoint: base, config: settings, dataset: { subsets: [], pictures }, plan: planDataset(pictures, settings), sessionId: 1, startedAt: 0,
  });
  let outcome: Outcome | undefined;
  await train(gpu, { checkpoint: base, config: settings, pictures, facts, ...from }, {
    signal: new AbortController().signal,
    phase: () => undefined,
    log: () => undefined,
    keepCheckpoint: async () => undefined,
    afterStep: async (): Promise<Verdict> => "continue",
    finish: async (state) => {
      outcome = { file: await bytesOf(resultFile(state, 0, base)), state: await bytesOf(stateFile(state)) };
    },
    ...host,
  });
  return outcome!;
}

describe("full training", () => {
  it.skipIf(isSlowAdapter)("goes on from a state bit for bit, and its checkpoint draws what its samples showed", async () => {
    const made: SamplePicture[] = [];
    const saved: string[] = [];
    const whole = await run(
      {
        sample_prompts: "a sks dog --s 3 --l 5 --d 7 --ss euler_a", sample_every_n_steps: 3, sample_at_first: true, save_every_n_steps: 2,
        stop_text_encoder_training: 2, gradient_checkpointing: true,
      },
      {
        sample: async (picture) => void made.push(picture),
        save: async ({ name, bytes }) => void saved.push(`${name} ${(await bytesOf(bytes)).length}`),
      },
    );
    const kept: RunState[] = [];
    await run({ stop_text_encoder_training: 2 }, {
      afterStep: async ({ step }, snapshot) => {
        if (step === 1) kept.push(await decodeState(await bytesOf(stateFile(await snapshot()))));
        return step === 1 ? "stop" : "continue";
      },
    });
    const resumed = await run({ stop_text_encoder_training: 2 }, {}, { resume: kept[0]! });
    // But for the settings that they name, which differ by the samples.
    expect(await differences(resumed.state, whole.state)).toEqual([]);
    expect(await differences(resumed.file, whole.file)).toEqual([]);
    expect(saved).toEqual([`whole-step00000002 ${whole.file.length}`]);

    const file = await openSafetensors(blobSource(new Blob([whole.file]), "whole.safetensors"));
    expect(file.metadata.get("modelspec.architecture")).toBe("stable-diffusion-v1");
    expect([...checkpoint.keys].filter(([key]) => !file.tensors.has(key))).toEqual([]);
    const trained = await openCheckpoint(file);
    const vae = "first_stage_model.decoder.conv_in.weight";
    expect(same(await file.readF32(vae), await checkpoint.file.readF32(vae))).toBe(true);
    const generator = await Generator.open(gpu, { checkpoint: trained });
    try {
      const drawn = await generator.generate({
        prompt: "a sks dog", negative: "", seed: 7, steps: 3, cfg: 5, sampler: "euler_a", schedule: "automatic",
        width: 64, height: 64, clipSkip: 1,
      });
      const [before, after] = made;
      // A picture's weights are in half precision, a run's are not.
      expect(meanDifference(after!.rgba, drawn.rgba)).toBeLessThan(1);
      expect(meanDifference(before!.rgba, drawn.rgba), "what was learned shows").toBeGreaterThan(5);
    } finally {
      await generator.destroy();
    }
  });

  it.skipIf(isSlowAdapter)("is refused where files, settings or a state do not fit it", async () => {
    const lora = { ...(await decodeState((await run({ max_train_steps: 1, stop_text_encoder_training: -1 })).state)) };
    await expect(run({ training_kind: "lora" }, {}, { resume: lora })).rejects.toMatchObject({ code: "state.mismatch" });
    await expect(run({}, {}, { resume: lora }), "with the text encoder").rejects.toMatchObject({ code: "state.mismatch" });
    expect(() => resultFile(lora, 0, undefined)).toThrowError(expect.objectContaining({ code: "run.needsModel" }));
  });
});

/** Names of tensors that two files have otherwise. */
async function differences(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): Promise<string[]> {
  const [first, second] = await Promise.all([a, b].map((bytes) => openSafetensors(blobSource(new Blob([bytes]), "file"))));
  const names = new Set([...first!.tensors.keys(), ...second!.tensors.keys()]);
  const different: string[] = [];
  for (const name of names) {
    if (!first!.tensors.has(name) || !second!.tensors.has(name) || !same(await first!.read(name), await second!.read(name))) different.push(name);
  }
  return different;
}

/** Bit for bit, without a list of what differs. */
function same(a: Uint8Array | Float32Array, b: Uint8Array | Float32Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

function meanDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}
