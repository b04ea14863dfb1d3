import { describe, expect, it } from "vitest";
import type { TrainedStore } from "../../src/storage/trained-store.ts";
import { adapterFile, gate, job, model, Observer, setUp, weight } from "./harness/fake-session.ts";

describe("the bench", () => {
  it("takes another model for the pictures to come, and ends those of the old one", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    const held = gate();
    engine.step = held.wait;
    const old = session.generate(job("1"), new Observer());
    await held.reached;
    const report = await session.openModel({ kind: "file", file: new File(["o"], "other.safetensors") });
    expect(report.name).toBe("other");
    await expect(old).rejects.toMatchObject({ code: "cancelled" });
    engine.step = () => undefined;
    await session.generate(job("2"), new Observer());
    expect(engine.drawn.map((drawn) => drawn.model)).toEqual(["other.safetensors"]);
    expect(engine.alive).toBe(1);
    held.open();
  });

  it("stays as it is where a file is no model", async () => {
    const { session } = setUp();
    await session.openModel(model);
    const broken = { kind: "file", file: new File([], "x.safetensors") } as const;
    await expect(session.openModel(broken)).rejects.toMatchObject({ code: "checkpoint.notAModel" });
    await expect(session.openModel({ kind: "copy", copyName: "gone" })).rejects.toMatchObject({ code: "model.copyGone" });
    await expect(session.generate(job("1"), new Observer())).resolves.toMatchObject({ width: 64 });
  });

  it("keeps adapters of the same name apart, and reads the same file anew in its place", async () => {
    const { session } = setUp();
    await session.openModel(model);
    const open = (text: string) => session.openAdapter({ kind: "file", file: adapterFile("smith", text) });
    expect((await open("one")).name).toBe("smith");
    expect((await open("two, longer")).name).toBe("smith-2");
    expect((await open("one")).name).toBe("smith");
    expect((await session.adapters()).map(({ name }) => name)).toEqual(["smith", "smith-2"]);
    await session.removeAdapter("smith");
    expect((await session.adapters()).map(({ name }) => name)).toEqual(["smith-2"]);
  });

  it("tells how many layers of an adapter found no place, and names a few", async () => {
    const { session } = setUp();
    await session.openModel(model);
    const report = await session.openAdapter({ kind: "file", file: adapterFile("smith") });
    expect(report).toMatchObject({ kind: "LoRA", rank: 4, applied: 10, misfitCount: 30 });
    expect(report.misfits).toHaveLength(20);
  });

  it("keeps an adapter that does not fit a new model, and refuses to draw with it", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    await session.openAdapter({ kind: "file", file: adapterFile("smith") });
    engine.misfits.add("smith.safetensors other.safetensors");
    await session.openModel({ kind: "file", file: new File(["o"], "other.safetensors") });
    expect(await session.adapters()).toMatchObject([{ name: "smith", applied: 0 }]);
    const drawing = session.generate({ ...job("1"), adapters: [weight("smith", 1)] }, new Observer());
    await expect(drawing).rejects.toMatchObject({ code: "lora.nothingFits" });
    await session.generate(job("2"), new Observer());
    await session.openModel(model);
    expect(await session.adapters()).toMatchObject([{ name: "smith", applied: 10 }]);
  });

  it("offers what a run has stored, under kohya's names", async () => {
    const result = new Blob(["lora"]);
    const epoch = new Blob(["lora of epoch 4"]);
    const entries = [
      { step: 120, updates: 120, epoch: 3 }, { step: 160, updates: 160, epoch: 4, fileName: "smith-000004" }, { updates: 200, epoch: 5 },
    ];
    const trained: TrainedStore = {
      entries: async (id) =>
        id === "r" ? { runName: "smith", entries } : undefined,
      snapshot: async () => undefined,
      saved: async (_, step) => (step === 160 ? epoch : undefined),
      result: async () => result,
    };
    const { session, engine } = setUp({ trained });
    await session.openModel(model);
    expect(await session.trainedAdapters("r")).toEqual([
      { name: "smith-step00000120", source: { kind: "run", runId: "r", step: 120 }, step: 120, epoch: 3, isFinal: false },
      { name: "smith-000004", source: { kind: "run", runId: "r", step: 160 }, step: 160, epoch: 4, isFinal: false },
      { name: "smith", source: { kind: "run", runId: "r" }, step: 200, epoch: 5, isFinal: true },
    ]);
    expect((await session.openAdapter({ kind: "run", runId: "r" })).name).toBe("smith");
    await session.generate({ ...job("1"), adapters: [weight("smith", 1)] }, new Observer());
    expect(engine.drawn[0]!.loaded).toEqual(["smith.safetensors"]);
    expect((await session.openAdapter({ kind: "run", runId: "r", step: 160 })).name).toBe("smith-000004");
    await session.generate({ ...job("2"), adapters: [weight("smith-000004", 1)] }, new Observer());
    expect(engine.drawn[1]!.loaded).toEqual(["smith-000004.safetensors"]);
    await expect(session.openAdapter({ kind: "run", runId: "r", step: 120 })).rejects.toMatchObject({ code: "run.nothingStored" });
    await expect(session.openAdapter({ kind: "run", runId: "gone" })).rejects.toMatchObject({ code: "run.nothingStored" });
    expect(await session.trainedAdapters("gone")).toEqual([]);
  });

  it("reads an embedding of the same name in the old one's place", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    await session.generate(job("1"), new Observer());
    expect(await session.openEmbedding(adapterFile("style"))).toEqual({ name: "style", vectors: 2 });
    await session.openEmbedding(adapterFile("style", "newer"));
    await session.generate(job("2"), new Observer());
    expect(engine.embeddings).toEqual(["style.safetensors 5"]);
    await session.removeEmbedding("style");
    await session.generate(job("3"), new Observer());
    expect([engine.embeddings, engine.opened]).toEqual([[], 1]);
  });
});
