/**
 * The replay matrix: whole runs of kohya's settings (read from a TOML of them; pictures and captions through the real caches,
 * random numbers and loop) against the same runs by sd-scripts' own code on PyTorch. With LORASMITH_UPDATE=1 the results are
 * written into docs/parity.md.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import { openWideMini } from "./harness/generation-models.ts";
import { matrixNames, openCase, runCase, type Divergence, type MatrixCase } from "./harness/matrix.ts";
import { columns, readParityTable, settingsTexts, writeParityTable } from "./harness/parity-table.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";

let gpu: Gpu;
let checkpoints: Readonly<Record<"sd1" | "sd2", Checkpoint>>;
beforeAll(async () => {
  gpu = await openTestGpu();
  checkpoints = { sd1: await openWideMini("sd1"), sd2: await openWideMini("sd2") };
});

const cases = await Promise.all((await matrixNames()).map(openCase));
const measured = new Map<string, Divergence>();
afterAll(() => gpu.destroy());

/** How far a run may be from PyTorch's. bitsandbytes' CPU path rounds the 8-bit state in another order than its GPU path. */
const exact: Divergence = { loss: 1e-4, gradNorm: 1e-3, adapter: 1e-4, change: 1e-4, length: 1e-3, start: 1e-6 };
const coarse: Divergence = { ...exact, loss: 1e-2, gradNorm: 1e-1, adapter: 1e-3, change: 1e-3, length: 1e-2 };
const toleranceOf = ({ loaded }: MatrixCase): Divergence => (loaded.config.optimizer_type.endsWith("8bit") ? coarse : exact);

describe("a run of kohya's settings", () => {
  it.skipIf(isSlowAdapter).each(cases)("goes as with sd-scripts: $name", async (given) => {
    expect(given.loaded.unknownKeys).toEqual([]);
    expect(given.loaded.warnings).toEqual([]);
    const divergence = await runCase(gpu, checkpoints[given.family], given);
    measured.set(given.name, divergence);
    const tolerance = toleranceOf(given);
    const beyond = Object.entries(divergence).filter(([what, error]) => !(error < tolerance[what as keyof Divergence]));
    expect(beyond, `${JSON.stringify(divergence)}`).toEqual([]);
  });
});

describe("docs/parity.md", () => {
  it("lists the runs of the matrix, their settings, and results within the tolerances", async () => {
    const settings = settingsTexts(cases);
    if (process.env["LORASMITH_UPDATE"] === "1") await writeParityTable(measured, settings);
    const rows = await readParityTable();
    expect(cases.length).toBeGreaterThanOrEqual(40);
    expect(rows.map(({ name, settings: text }) => [name, text])).toEqual(cases.map(({ name }) => [name, settings.get(name)]));
    for (const [i, given] of cases.entries()) {
      const tolerance = toleranceOf(given);
      for (const column of columns) expect(rows[i]!.measured[column], `${given.name}: ${column}`).toBeLessThanOrEqual(tolerance[column]);
    }
  });
});
