import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sampleFileName, writeSample } from "../../src/cli/sample-files.ts";
import { readGiven } from "../../src/cli/settings.ts";
import { readPngTexts } from "../../src/formats/png-text.ts";
import { isSampleDue, momentOf } from "../../src/training/sample-schedule.ts";
import { planSteps } from "../../src/training/steps.ts";

/** 3 updates an epoch, the third epoch cut short after one. */
const steps = planSteps({ bucketSizes: [3], batchSize: 1, accumulation: 1, maxSteps: 7, maxEpochs: null });
const due = (settings: Partial<Parameters<typeof isSampleDue>[0]>): number[] => {
  const schedule = { sample_every_n_epochs: null, sample_every_n_steps: null, sample_at_first: false, ...settings };
  return Array.from({ length: 8 }, (_, step) => step).filter((step) => isSampleDue(schedule, steps, step));
};

describe("samples are due", () => {
  it.each([
    ["never without a schedule", {}, []],
    ["before training where that is wanted", { sample_at_first: true }, [0]],
    ["every n steps", { sample_every_n_steps: 2 }, [2, 4, 6]],
    ["at the end of every epoch, also of one that is cut short", { sample_every_n_epochs: 1 }, [3, 6, 7]],
    ["every n epochs", { sample_every_n_epochs: 2 }, [6]],
    ["by epochs where both are set", { sample_every_n_epochs: 3, sample_every_n_steps: 1, sample_at_first: true }, [0, 7]],
  ] as const)("%s", (_, settings, expected) => {
    expect(due(settings)).toEqual(expected);
  });

  it("of a moment with an epoch's number where it ends one", () => {
    expect([0, 1, 3, 6, 7].map((step) => momentOf(steps, step).epoch)).toEqual([0, undefined, 1, 2, 3]);
  });
});

describe("samples on disk", () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "lorasmith-samples-"));
  });
  afterAll(() => rm(root, { recursive: true }));

  const now = new Date(2026, 7, 1, 9, 5, 3);

  it("are named as sd-scripts names them", () => {
    const sample = { step: 120, epoch: undefined, index: 1, seed: 42, hasOwnSeed: false };
    expect(sampleFileName("smith", sample, now)).toBe("smith_000120_01_20260801090503.png");
    expect(sampleFileName("smith", { ...sample, epoch: 2, hasOwnSeed: true }, now)).toBe("smith_e000002_01_20260801090503_42.png");
    expect(sampleFileName("smith", { ...sample, step: 0, epoch: 0 }, now)).toBe("smith_e000000_01_20260801090503.png");
  });

  it("are opaque PNGs with their pixels and parameters", async () => {
    const rgba = new Uint8ClampedArray([255, 0, 0, 255, 0, 128, 255, 255]);
    const picture = {
      step: 3, epoch: 1, index: 0, prompt: "猫", seed: 1, hasOwnSeed: false, width: 2, height: 1, rgba, infotext: "猫\nSteps: 1", milliseconds: 1,
    };
    const path = await writeSample({ out: root, name: "n" }, picture, now);
    expect(path).toBe(join(root, "sample", "n_e000001_00_20260801090503.png"));
    const bytes = Uint8Array.from(await readFile(path));
    expect((await readPngTexts(bytes)).get("parameters")).toBe("猫\nSteps: 1");
    const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels, ...data]).toEqual([2, 1, 3, 255, 0, 0, 0, 128, 255]);
  });

  it("get their prompts from the file that a configuration or --set names", async () => {
    await writeFile(join(root, "prompt.txt"), "a cat --d 1\n");
    await writeFile(join(root, "list.json"), '[{"prompt":"a dog","seed":2}]');
    const config = join(root, "config.toml");
    await writeFile(config, 'sample_prompts = "prompt.txt"\n');
    expect((await readGiven({ config })).values["sample_prompts"]).toBe("a cat --d 1\n");
    const set = [`sample_prompts=${join(root, "list.json")}`];
    expect((await readGiven({ config, set })).values["sample_prompts"]).toBe("a dog --d 2");
    await expect(readGiven({ set: ["sample_prompts=nowhere.txt"] })).rejects.toMatchObject({ code: "file.missing" });
    await writeFile(config, 'sample_prompts = "/nowhere/prompt.txt"\n');
    expect((await readGiven({ config })).values["sample_prompts"]).toBe("/nowhere/prompt.txt");
  });
});
