import { describe, expect, it } from "vitest";
import { InputError } from "../../src/errors.ts";
import { readPngTexts } from "../../src/formats/png-text.ts";
import { adapterFile, gate, job, model, Observer, request, setUp, weight } from "./harness/fake-session.ts";
import { tinyPng } from "./harness/tiny-png.ts";

describe("a picture", () => {
  it("comes as a PNG that carries the webui's text, and tells its way there", async () => {
    const { session, engine } = setUp();
    const observer = new Observer();
    await session.openModel(model);
    await session.openAdapter({ kind: "file", file: adapterFile("smith") });
    const picture = await session.generate({ ...job("a"), adapters: [weight("smith", 0.8)] }, observer);
    expect(observer.loads).toEqual([[1, 2]]);
    expect(observer.compiled).toEqual([[3, 4]]);
    expect(observer.steps).toEqual([1, 2, 3, 4]);
    expect(picture.infotext).toBe(
      "smith <lora:smith:0.8>\nSteps: 4, Sampler: Euler, Schedule type: Automatic, CFG scale: 7, Seed: 1, Size: 64x64, " +
        'Model hash: 0badcafe, Model: base, Lora hashes: "smith: abc123", Version: lorasmith/test',
    );
    const texts = await readPngTexts(new Uint8Array(await picture.png.arrayBuffer()));
    expect(texts.get("parameters")).toBe(picture.infotext);
    expect(picture).not.toHaveProperty("rgba");
    expect(engine.drawn[0]).toMatchObject({ adapters: ["smith=0.8"], loaded: ["smith.safetensors"], model: "base.safetensors" });
  });

  it("gives its settings back to whoever opens it", async () => {
    const { session } = setUp();
    await session.openModel(model);
    const asked = { ...request, prompt: "a cat,\nsitting", negative: "blurry", sampler: "dpmpp_2m", schedule: "karras", clipSkip: 2 } as const;
    const { png } = await session.generate({ id: "a", request: asked, adapters: [] }, new Observer());
    expect(await session.readSettings(png)).toEqual({ request: asked, model: "base", loraHashes: {} });
    expect(await session.readSettings(new Blob([tinyPng()]))).toBeUndefined();
  });

  it("is refused without a model, and with an adapter that is not open", async () => {
    const { session } = setUp();
    await expect(session.generate(job("a"), new Observer())).rejects.toMatchObject({ code: "generation.noModel" });
    await session.openModel(model);
    const drawing = session.generate({ ...job("a"), adapters: [weight("gone", 1)] }, new Observer());
    await expect(drawing).rejects.toMatchObject({ code: "generation.unknownLora", data: { name: "gone" } });
    const tagged = session.generate(job("b", { prompt: "x <lora:gone:1>" }), new Observer());
    await expect(tagged).rejects.toMatchObject({ code: "generation.unknownLora", data: { name: "gone" } });
  });

  it("loads only the adapters that act in it", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    for (const name of ["a", "b", "c"]) await session.openAdapter({ kind: "file", file: adapterFile(name) });
    await session.generate({ ...job("1", { prompt: "x <lora:c:0.5>" }), adapters: [weight("a", 1)] }, new Observer());
    expect(engine.drawn[0]!.loaded).toEqual(["a.safetensors", "c.safetensors"]);
  });

  it("does not load the model again", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    await session.generate(job("1"), new Observer());
    const observer = new Observer();
    await session.generate(job("2", { seed: 2 }), observer);
    expect(engine.opened).toBe(1);
    expect(observer.loads).toEqual([]);
  });
});

describe("jobs", () => {
  it("run one after the other; of those waiting in a slot only the newest does", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    const held = gate();
    engine.step = (step, { seed }) => (step === 1 && seed === 1 ? held.wait() : undefined);
    const jobs = [1, 2, 3, 4].map((seed) => session.generate(job(`${seed}`, { seed }, { slot: "slider" }), new Observer()));
    const settled = Promise.allSettled(jobs);
    await held.reached;
    held.open();
    expect((await settled).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    await expect(jobs[1]).rejects.toMatchObject({ code: "cancelled" });
    expect(engine.drawn.map(({ seed }) => seed)).toEqual([1, 4]);
  });

  it("of other slots, or of none, are not replaced", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    const slots = ["a", undefined, undefined, "b"];
    await Promise.all(slots.map((slot, seed) =>
      session.generate(job(`${seed}`, { seed }, slot === undefined ? {} : { slot }), new Observer()),
    ));
    expect(engine.drawn.map(({ seed }) => seed)).toEqual([0, 1, 2, 3]);
  });

  it("end as cancelled, the running one after its step and a waiting one at once", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    const held = gate();
    engine.step = (step) => (step === 2 ? held.wait() : undefined);
    const observer = new Observer();
    const running = session.generate(job("1"), observer);
    const waiting = session.generate(job("2"), new Observer());
    await held.reached;
    await session.cancel("2");
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    await session.cancel("1");
    held.open();
    await expect(running).rejects.toMatchObject({ code: "cancelled" });
    expect(observer.steps).toEqual([1]);
    engine.step = () => undefined;
    await session.generate(job("3"), new Observer());
    expect(engine.opened).toBe(1);
  });

  it("that fail leave the way free for the next", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    engine.step = (_, { seed }) => {
      if (seed === 1) throw new InputError("prompt.test", "no");
    };
    const failing = session.generate(job("1"), new Observer());
    const next = session.generate(job("2", { seed: 2 }), new Observer());
    await expect(failing).rejects.toMatchObject({ code: "prompt.test" });
    await expect(next).resolves.toMatchObject({ width: 64 });
  });
});
