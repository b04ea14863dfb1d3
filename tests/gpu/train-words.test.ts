/** A textual inversion from captions to a picture: trained, sampled, interrupted, written, and used by its file's name. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { Generator } from "../../src/generation/generator.ts";
import { readEmbedding } from "../../src/generation/embedding-file.ts";
import { writeResult } from "../../src/training/result.ts";
import { describeOrigin } from "../../src/training/run-origin.ts";
import { planDataset } from "../../src/training/run-plan.ts";
import { decodeState, encodeState, type RunState } from "../../src/training/state-file.ts";
import { train, type TrainHost, type TrainJob } from "../../src/training/trainer.ts";
import { tokenize } from "../../src/text/tokenizer.ts";
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
const captions = ["a photo of mystyle_1", "mystyle_1, a dog", "nothing of it"];
const pictures = captions.map((caption, i) => ({
  path: `${i}.png`,
  size: [size, size] as const,
  repeats: 1,
  caption,
  decode: async () => ({
    width: size,
    height: size,
    data: Uint8Array.from({ length: size * size * 4 }, (_, at) => (at % 4 === 3 ? 255 : (at * (3 + i) + (at >> 7) * 31) & 255)),
  }),
}));

const config: TrainingConfig = {
  ...defaultConfig(),
  training_kind: "textual_inversion",
  token_string: "mystyle_1",
  init_word: "cat",
  num_vectors_per_token: 2,
  resolution: [size, size],
  enable_bucket: false,
  learning_rate: 0.5,
  max_train_steps: 4,
  seed: 11,
  optimizer_type: "AdamW",
  caption_dropout_rate: 1,
};

async function run(changes: Partial<TrainingConfig>, host: Partial<TrainHost> = {}, from: Pick<TrainJob, "resume" | "startWords"> = {}): Promise<RunState> {
  const settings = { ...config, ...changes };
  const facts = await describeOrigin({
    checkpoint, config: settings, dataset: { subsets: [], pictures }, plan: planDataset(pictures, settings), sessionId: 1, startedAt: 0,
  });
  return train(gpu, { checkpoint, config: settings, pictures, facts, ...from }, {
    signal: new AbortController().signal,
    phase: () => undefined,
    log: () => undefined,
    keepCheckpoint: async () => undefined,
    afterStep: async (): Promise<Verdict> => "continue",
    ...host,
  });
}

describe("a textual inversion", () => {
  it.skipIf(isSlowAdapter)("learns its word alone, goes on where it stopped, and draws under its file's name what its samples showed", async () => {
    const made: SamplePicture[] = [];
    const whole = await run(
      { sample_prompts: "a mystyle_1 dog --s 3 --l 5 --d 7 --ss euler_a", sample_every_n_steps: 4, sample_at_first: true, save_precision: "float" },
      { sample: async (picture) => void made.push(picture) },
    );
    const kept: RunState[] = [];
    await run({}, {
      afterStep: async ({ step }, snapshot) => {
        if (step === 2) kept.push(await decodeState(encodeState(await snapshot())));
        return step === 2 ? "stop" : "continue";
      },
    });
    const resumed = await run({}, {}, { resume: kept[0]! });
    // On from its file, as good as untrained.
    const again = await run({ weights: "file.pt", max_train_steps: 1, learning_rate: 1e-30 }, {}, { startWords: { name: "file.pt", ...whole.words! } });
    expect([...again.words!.vectors]).toEqual([...whole.words!.vectors]);
    expect([...resumed.words!.vectors]).toEqual([...whole.words!.vectors]);
    expect(resumed.words!.optimizer.map((bank) => [...bank])).toEqual(whole.words!.optimizer.map((bank) => [...bank]));
    expect(whole.weights.size).toBe(0);

    // Both vectors began as the one token of "cat", and each has gone its way.
    const [cat = 0] = tokenize("cat", { variant: "sd1" });
    const { width, vectors } = whole.words!;
    const start = await checkpoint.file.readF32Range("cond_stage_model.transformer.text_model.embeddings.token_embedding.weight", cat * width, width);
    const [first, second] = [vectors.subarray(0, width), vectors.subarray(width)];
    expect([...first]).not.toEqual([...second]);
    for (const vector of [first, second]) {
      const moved = Math.max(...vector.map((value, i) => Math.abs(value - start[i]!)));
      expect(moved).toBeGreaterThan(0.1);
      expect(moved).toBeLessThan(3);
    }

    const file = await openSafetensors(blobSource(new Blob([writeResult(whole, 0)]), "anyname.safetensors"));
    expect([...file.tensors.values()].map(({ name, shape, dtype }) => ({ name, shape, dtype }))).toEqual([{ name: "emb_params", shape: [2, width], dtype: "F32" }]);
    expect(file.metadata.get("modelspec.architecture")).toBe("stable-diffusion-v1/textual-inversion");
    expect([...file.metadata.keys()].every((key) => key.startsWith("modelspec."))).toBe(true);

    const generator = await Generator.open(gpu, { checkpoint });
    try {
      const request = {
        prompt: "a anyname dog", negative: "", seed: 7, steps: 3, cfg: 5, sampler: "euler_a", schedule: "automatic",
        width: 64, height: 64, clipSkip: 1,
      } as const;
      generator.setEmbeddings([await readEmbedding(file, width)]);
      const drawn = await generator.generate(request);
      const [before, after] = made;
      // The token table of a picture holds the vectors in half precision.
      expect(meanDifference(after!.rgba, drawn.rgba)).toBeLessThan(0.5);
      expect(meanDifference(before!.rgba, drawn.rgba), "what was learned shows").toBeGreaterThan(5);
    } finally {
      await generator.destroy();
    }
  });

  it("is refused where it would learn nothing, or its word is known", async () => {
    await expect(run({ token_string: "nowhere_1" })).rejects.toMatchObject({ code: "train.tokenNowhere" });
    await expect(run({ token_string: "cat" })).rejects.toMatchObject({ code: "train.knownToken" });
    await expect(run({ weights: "file.pt" })).rejects.toMatchObject({ code: "train.startMissing" });
    const { width } = checkpoint.textEncoder;
    const one = { name: "file.pt", width, vectors: new Float32Array(width) };
    await expect(run({ weights: "file.pt" }, {}, { startWords: one })).rejects.toMatchObject({ code: "train.startCount" });
    const narrow = { ...one, width: width / 2 };
    await expect(run({ weights: "file.pt" }, {}, { startWords: narrow })).rejects.toMatchObject({ code: "embedding.width" });
  });
});

function meanDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}
