import { describe, expect, it } from "vitest";
import { type GridAxis, type GridSpec, maxGridCells, planGrid } from "../../src/generation/grid.ts";
import type { GenerationRequest } from "../../src/generation/request.ts";

const request: GenerationRequest = {
  prompt: "smith, smile", negative: "frown", seed: 1, steps: 20, cfg: 7, sampler: "euler", schedule: "automatic",
  width: 512, height: 512, clipSkip: 1,
};
const smith = { name: "smith", unet: 1, textEncoder: 0.5 };
const style = { name: "style", unet: 0.4, textEncoder: 0.4 };

function spec(columns: GridAxis, rows?: GridAxis, more: Partial<GridSpec> = {}): GridSpec {
  return { request, adapters: [smith, style], subject: "smith", columns, ...(rows === undefined ? {} : { rows }), ...more };
}
const labels = (kind: GridAxis["kind"], values: GridAxis["values"], prompt = request.prompt) =>
  planGrid(spec({ kind, values }, undefined, { request: { ...request, prompt } })).columns.labels;
const refused = (made: GridSpec) => {
  try {
    planGrid(made);
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("values of an axis", () => {
  it("are lists and the webui's ranges", () => {
    expect(labels("weight", "0, 0.5,1")).toEqual(["0", "0.5", "1"]);
    expect(labels("weight", "0-1.5 [4]")).toEqual(["0", "0.5", "1", "1.5"]);
    expect(labels("weight", "0-0.3 (+0.1)")).toEqual(["0", "0.1", "0.2", "0.3"]);
    expect(labels("weight", "-1-1 [3], 2")).toEqual(["-1", "0", "1", "2"]);
    expect(labels("cfg", "1-3")).toEqual(["1", "2", "3"]);
    expect(labels("seed", "1-5 (+2)")).toEqual(["1", "3", "5"]);
    expect(labels("seed", "10-5 (-3)")).toEqual(["10", "7"]);
    expect(labels("seed", "3-1")).toEqual(["3", "2", "1"]);
    expect(labels("steps", "1-10 [5]")).toEqual(["1", "3", "5", "7", "10"]);
    expect(labels("seed", "9007199254740990-9007199254740991")).toEqual(["9007199254740990", "9007199254740991"]);
  });

  it("of texts keep commas and spaces where quoted", () => {
    expect(labels("prompt", 'smile, "laugh, loudly" , a ""b""')).toEqual(["smile", "laugh, loudly", 'a ""b""']);
    expect(labels("prompt", 'smile,"a ""quote"""')).toEqual(["smile", 'a "quote"']);
    expect(labels("prompt", 'smile, "", , x,')).toEqual(["smile", "", "x"]);
    expect(labels("prompt", ["smile", "a, b"])).toEqual(["smile", "a, b"]);
  });

  it("of samplers are their names, in the webui's words too", () => {
    const { cells, columns } = planGrid(spec({ kind: "sampler", values: "euler a, DPM++ 2M, lcm" }));
    expect(columns.labels).toEqual(["Euler a", "DPM++ 2M", "LCM"]);
    expect(cells.map((cell) => cell.request.sampler)).toEqual(["euler_a", "dpmpp_2m", "lcm"]);
  });

  it.each([
    ["weight", ""], ["seed", " , "], ["adapter", []],
  ] as const)("that are missing are said: %s", (kind, values) => {
    expect(refused(spec({ kind, values }))).toMatchObject({ code: "grid.empty", data: { axis: kind } });
  });

  it.each([
    ["weight", "0, much"], ["weight", "11"], ["seed", "-1"], ["seed", "1.5"], ["steps", "0"], ["steps", "1001"],
    ["cfg", "-0.5"], ["cfg", "1-5 (-1)"], ["cfg", "1-5 (+0)"], ["seed", "0-1e9"], ["seed", "0-99999999"], ["seed", "1-5 [0]"],
    ["sampler", "euler, nonsense"], ["seed", "1 2"],
  ] as const)("that do not fit are named: %s %s", (kind, values) => {
    expect(refused(spec({ kind, values }))).toMatchObject({ code: "grid.value", data: { axis: kind } });
  });
});

describe("a grid", () => {
  it("puts each value where its column and row say", () => {
    const { cells } = planGrid(spec({ kind: "weight", values: "0,1" }, { kind: "seed", values: "5,6,7" }));
    expect(cells).toHaveLength(6);
    for (const { column, row, request: asked, adapters } of cells) {
      expect(asked.seed).toBe(5 + row);
      expect(adapters).toEqual([{ name: "smith", unet: column, textEncoder: column / 2 }, style]);
    }
  });

  it("changes the chosen adapter only, both its file and its weight", () => {
    const { cells } = planGrid(spec({ kind: "adapter", values: ["e1", "e2"] }, { kind: "weight", values: "0.5" }));
    expect(cells.map(({ adapters }) => adapters)).toEqual([
      [{ name: "e1", unet: 0.5, textEncoder: 0.25 }, style],
      [{ name: "e2", unet: 0.5, textEncoder: 0.25 }, style],
    ]);
  });

  it("replaces the first text of a list by each, in both prompts", () => {
    const made = spec({ kind: "prompt", values: "smile, $& laugh" }, { kind: "prompt", values: "frown, tears" });
    expect(planGrid(made).cells.map(({ request: { prompt, negative } }) => [prompt, negative])).toEqual([
      ["smith, smile", "frown"], ["smith, $& laugh", "frown"], ["smith, smile", "tears"], ["smith, $& laugh", "tears"],
    ]);
    expect(refused(spec({ kind: "prompt", values: "cat, dog" }))).toMatchObject({ code: "grid.notInPrompt", data: { text: "cat" } });
    expect(refused(spec({ kind: "prompt", values: '"", dog' }))).toMatchObject({ code: "grid.notInPrompt" });
  });

  it.each([
    ["columns", { kind: "adapter", values: ["a", "b", "c"] }, { kind: "weight", values: "0,1" }],
    ["rows", { kind: "weight", values: "0,1" }, { kind: "adapter", values: ["a", "b", "c"] }],
    ["columns", { kind: "prompt", values: "smile, x, y" }, { kind: "seed", values: "1,2" }],
    ["rows", { kind: "seed", values: "1,2" }, { kind: "weight", values: "0,1,2" }],
  ] as const)("is drawn so that what is costly changes least (%s outside)", (outside, columns, rows) => {
    const { cells } = planGrid(spec(columns, rows));
    const outer = cells.map(({ column, row }) => (outside === "columns" ? column : row));
    expect(outer).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it("of one axis is one row", () => {
    const plan = planGrid(spec({ kind: "seed", values: "1-3" }));
    expect(plan.rows).toBeUndefined();
    expect(plan.cells.map(({ column, row }) => [column, row])).toEqual([[0, 0], [1, 0], [2, 0]]);
  });

  it("counts what the samplers will evaluate", () => {
    // Heun takes two evaluations a step and one for the last.
    const plan = planGrid(spec({ kind: "sampler", values: "euler, heun" }, { kind: "steps", values: "10, 20" }));
    expect(plan.evaluations).toBe(10 + 20 + 19 + 39);
  });

  it("is refused with the reason where it cannot be drawn", () => {
    const seeds = { kind: "seed", values: "1-17" } as const;
    expect(refused(spec(seeds, { kind: "cfg", values: "1-16" }))).toMatchObject({
      code: "grid.tooLarge", data: { columns: 17, rows: 16, count: 272, limit: maxGridCells },
    });
    expect(refused(spec(seeds, seeds))).toMatchObject({ code: "grid.sameAxis" });
    expect(refused({ request, adapters: [style], subject: "smith", columns: { kind: "weight", values: "1" } })).toMatchObject({
      code: "grid.noAdapter",
    });
    expect(refused(spec({ kind: "sampler", values: "lcm" }, { kind: "steps", values: "51" }))).toMatchObject({ code: "sampling.steps" });
  });
});
