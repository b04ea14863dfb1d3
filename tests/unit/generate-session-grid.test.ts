import { describe, expect, it } from "vitest";
import { readPngTexts } from "../../src/formats/png-text.ts";
import type { GridSpec } from "../../src/generation/grid.ts";
import type { FinishedPicture } from "../../src/workers/generate-protocol.ts";
import { job, model, Observer, request, setUp } from "./harness/fake-session.ts";

describe("a grid", () => {
  const spec: GridSpec = {
    request, adapters: [], columns: { kind: "seed", values: "1-3" }, rows: { kind: "cfg", values: "5, 7" },
  };

  it("tells every cell as it is finished", async () => {
    const { session } = setUp();
    const observer = new Observer();
    await session.openModel(model);
    const plan = await session.planGrid(spec);
    await session.grid({ id: "g", plan }, observer);
    expect(observer.cells.map(({ done }) => done)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const { column, row, picture } of observer.cells) {
      expect(picture.request).toMatchObject({ seed: 1 + column, cfg: 5 + 2 * row });
    }
  });

  it("lets a single picture in between two cells", async () => {
    const { session, engine } = setUp();
    const observer = new Observer();
    await session.openModel(model);
    const plan = await session.planGrid(spec);
    let single: Promise<FinishedPicture> | undefined;
    engine.step = (step, { seed }) => {
      if (step === 1 && seed === 1) single ??= session.generate(job("s", { seed: 99 }), new Observer());
    };
    await session.grid({ id: "g", plan }, observer);
    await single;
    expect(engine.drawn.map(({ seed }) => seed).indexOf(99)).toBe(1);
  });

  it("can be cancelled; cells told before stay good", async () => {
    const { session } = setUp();
    const observer = new Observer();
    await session.openModel(model);
    const plan = await session.planGrid(spec);
    observer.oncell = (done) => {
      if (done === 2) void session.cancel("g");
    };
    await expect(session.grid({ id: "g", plan }, observer)).rejects.toMatchObject({ code: "cancelled" });
    expect(observer.cells).toHaveLength(2);
  });

  it("becomes a sheet whose text names the axes", async () => {
    const { session } = setUp();
    const observer = new Observer();
    await session.openModel(model);
    const plan = await session.planGrid(spec);
    await session.grid({ id: "g", plan }, observer);
    const cells = observer.cells.map(({ column, row, picture }) => ({ column, row, png: picture.png }));
    const sheet = await session.gridSheet(plan, cells, { columns: "Seed", rows: "CFG" });
    const text = (await readPngTexts(new Uint8Array(await sheet.arrayBuffer()))).get("parameters");
    expect(text).toMatch(/^smith\nSteps: 4, .*Script: X\/Y\/Z plot, X Type: Seed, X Values: "1, 2, 3", Y Type: CFG Scale, Y Values: "5, 7"$/);
  });
});
