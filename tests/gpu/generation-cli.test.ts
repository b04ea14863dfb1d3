/** The command `sample`, as a user runs it. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { readPngTexts } from "../../src/formats/png-text.ts";
import { isSlowAdapter } from "./harness/adapter.ts";
import { referencePath } from "./harness/reference-data.ts";
import { lorasmith } from "../unit/run-bin.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
let model: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lorasmith-sample-"));
  model = join(folder, "mini.safetensors");
  await lorasmith(["make-checkpoint", "--arch", "mini-sd15", "--seed", "1", "--out", model]);
});
afterAll(() => rm(folder, { recursive: true }));

const small = ["--prompt", "a cat", "--negative", "a dog", "--seed", "5", "--steps", "2", "--width", "72", "--height", "64"];

// SwiftShader takes a minute to compile each time.
it.skipIf(isSlowAdapter)("writes a picture with its settings inside, the same one each time", async () => {
  const lora = `${referencePath("networks-lora.safetensors")}:0.5:0.25`;
  const [first, again] = [join(folder, "first.png"), join(folder, "again.png")];
  for (const out of [first, again]) {
    const finished = await lorasmith(["sample", "--model", model, ...small, "--lora", lora, "--out", out]);
    expect(finished.stderr).toContain("networks-lora: ");
    expect(finished).toMatchObject({ code: 0, stdout: expect.stringMatching(/: 72x64, seed 5, /) as string });
  }
  const png = await readFile(first);
  expect(await readFile(again)).toEqual(png);
  expect(await sharp(png).metadata()).toMatchObject({ width: 72, height: 64, channels: 3 });
  const text = (await readPngTexts(new Uint8Array(png))).get("parameters");
  expect(text).toMatch(/^a cat <lora:networks-lora:0\.25:0\.5>\nNegative prompt: a dog\nSteps: 2, Sampler: DPM\+\+ 2M, /);
  expect(text).toMatch(/CFG scale: 7, Seed: 5, Size: 72x64, .*Model: mini, /);
});

it.each<[string[], RegExp]>([
  [["--width", "100"], /100x64.*multiples of 8/],
  [["--steps", "many"], /--steps is "many"/],
  [["--sampler", "best"], /--sampler is "best".*euler/],
  [["--lora", "nowhere.safetensors:0.5"], /nowhere\.safetensors does not exist/],
  [["--prompt", "<lora:smith:1>"], /There is no LoRA "smith"/],
  [["--vae", "MODEL_LORA"], /is no VAE/],
])("refuses %j in one line", async (wrong, message) => {
  const given = wrong.map((word) => (word === "MODEL_LORA" ? referencePath("networks-lora.safetensors") : word));
  const out = join(folder, "refused.png");
  const { code, stdout, stderr } = await lorasmith(["sample", "--model", model, ...small, ...given, "--out", out]);
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr.trimEnd().split("\n").at(-1)).toMatch(message);
});
