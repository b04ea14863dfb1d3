/** Prompt to latents and pictures against PyTorch (tests/reference/make_generation.py). */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { samplerNames } from "../../src/config/sampling.ts";
import { Generator } from "../../src/generation/generator.ts";
import { nchwToNhwc } from "../../src/training/micro-batch.ts";
import { expectClose } from "./harness/check-op.ts";
import { fileOf, floatTensor, openWideMini } from "./harness/generation-models.ts";
import { openReference } from "./harness/reference-data.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import type { GenerationRequest } from "../../src/generation/request.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { SafetensorsFile } from "../../src/formats/safetensors.ts";

/** Relative to the largest latent; asked for is 1e-3. */
const tolerance = 1e-4;
const [cat, girl, hat] = ["A photo of a cat", "1girl, solo, long hair, looking at viewer", "a man's hat"];
const request: GenerationRequest = {
  prompt: cat, negative: hat, seed: 0, steps: 20, cfg: 5, sampler: "euler", schedule: "automatic",
  width: 80, height: 64, clipSkip: 1,
};

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

async function expectLatents(generator: Generator, golden: SafetensorsFile, name: string, asked: GenerationRequest): Promise<void> {
  const latents = await generator.sampleLatents(asked);
  const [, , height = 0, width = 0] = golden.entry(`${name}.latents`).shape;
  expectClose(latents, nchwToNhwc(await golden.readF32(`${name}.latents`), [1, 4, height, width]), tolerance, name);
}

/** Rounding down may fall to either side of a whole number. */
async function expectPicture(generator: Generator, golden: SafetensorsFile, name: string, asked: GenerationRequest): Promise<void> {
  const { rgba, width, height } = await generator.generate(asked);
  const rgb = await golden.readInts(`${name}.picture`);
  expect([height, width, 3]).toEqual(golden.entry(`${name}.picture`).shape);
  let different = 0;
  for (const [i, value] of rgb.entries()) {
    const distance = Math.abs(rgba[Math.floor(i / 3) * 4 + (i % 3)]! - value);
    expect(distance, `value ${i}`).toBeLessThanOrEqual(1);
    different += distance;
  }
  expect(different / rgb.length).toBeLessThan(0.02);
  expect(rgba.every((value, i) => i % 4 !== 3 || value === 255)).toBe(true);
}

// SwiftShader takes seconds for an evaluation; it runs the networks in models.test.ts and short pictures in generator.test.ts.
describe.skipIf(isSlowAdapter)("an SD1 model", () => {
  let generator: Generator;
  let golden: SafetensorsFile;
  beforeAll(async () => {
    golden = await openReference("generation-sd1.safetensors");
    const embedding = floatTensor("emb_params", [2, 64], await golden.readF32("embedding"));
    generator = await Generator.open(gpu, {
      checkpoint: await openWideMini("sd1"),
      embeddings: [await fileOf("smithtoken.safetensors", [embedding])],
    });
  });
  afterAll(() => generator.destroy());

  it.each(samplerNames.map((sampler, seed) => ({ sampler, seed })))(
    "gives PyTorch's latents after 20 steps of $sampler with guidance",
    ({ sampler, seed }) => expectLatents(generator, golden, sampler, { ...request, sampler, seed }),
  );

  const short = { ...request, steps: 6 };
  it.each<[string, string, Partial<GenerationRequest>]>([
    ["chunks", "reads a prompt of two chunks with emphasis beside a negative one of one chunk",
      { seed: 20, prompt: `(${cat}:1.3) BREAK ${girl} [${hat}]` }],
    ["and", "guides to both sides of AND by their weights", { seed: 21, cfg: 4, sampler: "euler_a", prompt: `${cat} AND ${girl}:0.5` }],
    ["switch", "changes the prompt on the way", { seed: 22, prompt: `[${cat}:${girl}:3]` }],
    ["turns", "takes prompts in turn, counting both evaluations of a step", { seed: 23, steps: 4, sampler: "heun", prompt: `[${cat}|${girl}]` }],
    ["clip_skip", "skips the text encoder's last layer", { seed: 24, clipSkip: 2 }],
    ["unguided", "leaves the negative prompt out at CFG 1", { seed: 25, cfg: 1 }],
    ["embedding", "puts an embedding's vectors in the place of its name", { seed: 26, prompt: "A photo of a smithtoken" }],
  ])("%s: %s", async (name, _, asked) => expectLatents(generator, golden, name, { ...short, ...asked }));

  it("decodes the latents to PyTorch's picture", () => expectPicture(generator, golden, "euler", { ...request, seed: 1 }));
});

describe.skipIf(isSlowAdapter)("an SD2 model with v-prediction", () => {
  let generator: Generator;
  let golden: SafetensorsFile;
  const asked = { ...request, prompt: girl };
  beforeAll(async () => {
    golden = await openReference("generation-sd2.safetensors");
    const checkpoint = await openWideMini("sd2");
    generator = await Generator.open(gpu, { checkpoint: { ...checkpoint, predictionType: "v_prediction" } });
  });
  afterAll(() => generator.destroy());

  it.each((["ddim", "euler_a", "dpmpp_2m"] as const).map((sampler, i) => ({ sampler, seed: 2 ** 40 + i })))(
    "gives PyTorch's latents after 20 steps of $sampler, with a seed of more than 32 bits",
    ({ sampler, seed }) => expectLatents(generator, golden, sampler, { ...asked, sampler, seed }),
  );

  it("decodes the latents to PyTorch's picture", () =>
    expectPicture(generator, golden, "ddim", { ...asked, sampler: "ddim", seed: 2 ** 40 }));
});
