import { describe, expect, it } from "vitest";
import type { SampleRecord } from "../../src/storage/database.ts";
import type { SamplingEvent } from "../../src/workers/train-protocol.ts";
import { promptFromCaptions } from "../../src/ui/state/first-prompt.ts";
import {
  addSample, baseOf, followSampling, layoutWall, neighbour, sampleFileName, wallCell, type SamplingNow,
} from "../../src/ui/state/sample-wall.ts";
import { parseSamplePrompts } from "../../src/config/sample-prompts.ts";

function sample(step: number, index: number, more: Partial<SampleRecord> = {}): SampleRecord {
  const epoch = step % 10 === 0 ? step / 10 : undefined;
  return { runId: "r", step, index, epoch, prompt: `p${index}`, seed: index, width: 64, height: 64, milliseconds: 1, png: new Blob(), ...more };
}

const moment = { step: 20, epoch: 2 };
const prompts = [{ index: 0, prompt: "p0" }, { index: 2, prompt: "p2" }];
const follow = (events: readonly SamplingEvent[]): SamplingNow | undefined =>
  events.reduce<SamplingNow | undefined>(followSampling, undefined);

describe("the wall", () => {
  it("has a row for each prompt and a column for each step, the base model first, however they came", () => {
    const pictures = [sample(10, 1), sample(0, 1), sample(10, 0), sample(7, 0)].reduce<SampleRecord[]>(addSample, []);
    const wall = layoutWall(pictures, undefined);
    expect(wall.rows).toEqual([{ index: 0, prompt: "p0" }, { index: 1, prompt: "p1" }]);
    expect(wall.columns).toEqual([{ step: 0, epoch: 0 }, { step: 7, epoch: undefined }, { step: 10, epoch: 1 }]);
    expect(wallCell(pictures, undefined, 0, 7)).toEqual({ kind: "picture", sample: pictures.find(({ step }) => step === 7) });
    expect(wallCell(pictures, undefined, 1, 7)).toEqual({ kind: "none" });
  });

  it("has places for samples that are being made, also before the first picture", () => {
    const begun = follow([{ kind: "begin", ...moment, prompts }]);
    expect(layoutWall([], begun)).toEqual({ rows: prompts, columns: [moment] });
    expect(wallCell([], begun, 0, 20)).toEqual({ kind: "drawing", share: 0 });
    expect(wallCell([], begun, 2, 20)).toEqual({ kind: "waiting" });
    expect(wallCell([], begun, 2, 10)).toEqual({ kind: "none" });
    const later = follow([
      { kind: "begin", ...moment, prompts },
      { kind: "progress", ...moment, index: 2, done: 5, total: 20 },
    ]);
    const pictures = [sample(20, 0)];
    expect(wallCell(pictures, later, 0, 20)).toMatchObject({ kind: "picture" });
    expect(wallCell(pictures, later, 2, 20)).toEqual({ kind: "drawing", share: 0.25 });
    expect(follow([{ kind: "begin", ...moment, prompts }, { kind: "end", ...moment }])).toBeUndefined();
  });

  it("shows the newer picture of a step that was made again", () => {
    const again = sample(10, 0, { seed: 9 });
    expect(addSample([sample(0, 0), sample(10, 0)], again).map(({ step, seed }) => [step, seed])).toEqual([[0, 0], [10, 9]]);
  });

  it("is walked by steps and by prompts, past places without a picture, and not over its edges", () => {
    const pictures = [sample(0, 0), sample(0, 1), sample(10, 1), sample(20, 0), sample(20, 1)];
    const [first] = pictures;
    const at = (picture: SampleRecord): number[] => [picture.step, picture.index];
    expect(at(neighbour(pictures, first!, 1, 0))).toEqual([20, 0]);
    expect(at(neighbour(pictures, first!, -1, 0))).toEqual([0, 0]);
    expect(at(neighbour(pictures, first!, 0, 1))).toEqual([0, 1]);
    expect(at(neighbour(pictures, pictures[2]!, 0, -1))).toEqual([10, 1]);
  });

  it("compares with the base model's picture of the same prompt, where there is one", () => {
    const pictures = [sample(0, 1), sample(10, 0), sample(10, 1)];
    expect(baseOf(pictures, pictures[2]!)).toBe(pictures[0]);
    expect(baseOf(pictures, pictures[1]!)).toBeUndefined();
    expect(baseOf(pictures, pictures[0]!)).toBeUndefined();
  });

  it("names downloads as sd-scripts does", () => {
    expect(sampleFileName("smith", sample(7, 3))).toBe("smith_000007_03_3.png");
    expect(sampleFileName("smith", sample(20, 0))).toBe("smith_e000002_00_0.png");
  });
});

describe("the prompt to begin with", () => {
  const files = (entries: Readonly<Record<string, string>>) => Object.entries(entries).map(([path, text]) => ({ path, file: new Blob([text]) }));

  it("is the first caption of a picture that is trained", async () => {
    const prompt = await promptFromCaptions(files({
      "set/reg/1_man/0.txt": "man", "set/4_smith/b.txt": "smith, angry", "set/4_smith/a.txt": " smith,\n smile ", "set/4_smith/a.png": "",
    }), ".txt");
    expect(prompt).toBe("smith, smile --s 20");
  });

  it("is read back as the caption, whatever stands in it", async () => {
    const prompt = await promptFromCaptions(files({ "a.caption": "# one --w wide -- two" }), ".caption");
    expect(parseSamplePrompts(prompt ?? "")).toMatchObject({ prompts: [{ prompt: "one w wide two", steps: 20 }], errors: [], ignored: [] });
  });

  it("is none where there are no words", async () => {
    expect(await promptFromCaptions(files({ "a.txt": " \n" }), ".txt")).toBeUndefined();
    expect(await promptFromCaptions(files({ "a.png": "" }), ".txt")).toBeUndefined();
  });
});
