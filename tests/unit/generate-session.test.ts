import { describe, expect, it } from "vitest";
import { CancelledError, InputError } from "../../src/errors.ts";
import { readPngTexts } from "../../src/formats/png-text.ts";
import { DeviceLostError } from "../../src/gpu/errors.ts";
import type { GridSpec } from "../../src/generation/grid.ts";
import type { GenerationRequest } from "../../src/generation/request.ts";
import type { TrainedStore } from "../../src/storage/trained-store.ts";
import type { Bench, DrawOptions, GenerateEngine, OpenGenerator } from "../../src/workers/generate-engine.ts";
import { OtherTabDrawsError, TrainingLiveError } from "../../src/workers/generate-errors.ts";
import type { FinishedPicture, GeneratorState, GridObserver } from "../../src/workers/generate-protocol.ts";
import { GenerateSession } from "../../src/workers/generate-session.ts";
import type { RoomClaim } from "../../src/workers/gpu-room.ts";
import { tinyPng } from "./harness/tiny-png.ts";

const request: GenerationRequest = {
  prompt: "smith", negative: "", seed: 1, steps: 4, cfg: 7, sampler: "euler", schedule: "automatic",
  width: 64, height: 64, clipSkip: 1,
};
const model = { kind: "file", file: new File(["m"], "base.safetensors") } as const;
const adapterFile = (name: string, text = name): File => new File([text], `${name}.safetensors`, { lastModified: 1 });
const weight = (name: string, unet: number) => ({ name, unet, textEncoder: unet });

/** What a picture was drawn with; `step` may interfere before each step. */
interface Drawn {
  readonly prompt: string;
  readonly seed: number;
  readonly adapters: string[];
  readonly loaded: string[];
  readonly model: string;
}

/** A generator without numbers: it goes through its steps and remembers what it was asked for. */
class FakeEngine implements GenerateEngine {
  drawn: Drawn[] = [];
  opened = 0;
  alive = 0;
  step: (step: number, request: GenerationRequest) => void | Promise<void> = () => undefined;
  lose: () => void = () => undefined;
  misfits = new Set<string>();
  embeddings: string[] = [];

  readModel: GenerateEngine["readModel"] = async (file) => {
    if (file.size === 0) throw new InputError("checkpoint.notAModel", "no");
    return {
      report: {
        family: "Stable Diffusion 1.x", isV2: false, predictionType: "epsilon", isPredictionAssumed: true,
        tensorCount: 1, parameterCount: 1,
      },
      hash: "0badcafe",
    };
  };
  checkVae = async (): Promise<void> => undefined;
  readEmbedding = async (file: File) => ({ name: file.name.replace(".safetensors", ""), vectors: 2 });
  readAdapter: GenerateEngine["readAdapter"] = async (file, base) => {
    if (this.misfits.has(`${file.name} ${base.name}`)) throw new InputError("lora.nothingFits", "no", { count: 3 });
    const name = file.name.replace(".safetensors", "");
    const misfits = Array.from({ length: 30 }, (_, i) => `layer${i}`);
    return { report: { name, kind: "LoRA", rank: 4, applied: 10, misfits }, hash: "abc123" };
  };
  forecast = async () => ({ evaluations: 4, peakBytes: 1, weightsBytes: 1, flops: 1 });

  async open(bench: Bench, { onProgress }: Parameters<GenerateEngine["open"]>[1]): Promise<OpenGenerator> {
    this.opened += 1;
    this.alive += 1;
    onProgress(1, 2);
    let loaded: string[] = [];
    let isLost = false;
    const lost = new Promise<void>((resolve) => {
      this.lose = () => {
        isLost = true;
        resolve();
      };
    });
    const generate = async (asked: GenerationRequest, adapters: { name: string; unet: number }[], options: DrawOptions) => {
      for (let step = 1; step <= asked.steps; step++) {
        await this.step(step, asked);
        if (isLost) throw new DeviceLostError("test");
        if (options.signal.aborted) throw new CancelledError();
        options.onProgress({ step, steps: asked.steps });
      }
      const names = adapters.map(({ name, unet }) => `${name}=${unet}`);
      this.drawn.push({ prompt: asked.prompt, seed: asked.seed, adapters: names, loaded, model: bench.model.name });
      return {
        width: asked.width, height: asked.height, rgba: new Uint8ClampedArray(4), request: asked,
        adapters: adapters.map(({ name, unet }) => weight(name, unet)), milliseconds: 5,
      };
    };
    return {
      lost,
      setExtras: async ({ adapters, embeddings }) => {
        loaded = adapters.map(({ name }) => name);
        this.embeddings = embeddings.map(({ name, size }) => `${name} ${size}`);
      },
      generate: (asked, adapters, options) => generate(asked, [...adapters], options),
      destroy: () => void (this.alive -= 1),
    };
  }
}

const noRuns: TrainedStore = {
  entries: async () => undefined, snapshot: async () => undefined, saved: async () => undefined, result: async () => undefined,
};

function setUp({ idleMs = 1e6, trained = noRuns }: { idleMs?: number; trained?: TrainedStore } = {}) {
  const engine = new FakeEngine();
  const states: GeneratorState[] = [];
  let onwanted: ((by: RoomClaim) => void) | undefined;
  const room = { isHeld: false, refusal: undefined as Error | undefined, claim: (by: RoomClaim) => onwanted?.(by) };
  const session = new GenerateSession(engine, {
    idleMs,
    trained,
    program: "lorasmith/test",
    openCopy: async () => undefined,
    encodePng: async () => tinyPng(),
    drawSheet: async () => tinyPng(),
    takeRoom: async (hear) => {
      if (room.refusal !== undefined) throw room.refusal;
      room.isHeld = true;
      onwanted = hear;
      return { release: () => void (room.isHeld = false) };
    },
  });
  void session.watch((state) => states.push(state));
  return { engine, session, states, room };
}

class Observer implements GridObserver {
  loads: number[][] = [];
  steps: number[] = [];
  cells: { column: number; row: number; done: number; picture: FinishedPicture }[] = [];
  oncell: (done: number) => void = () => undefined;
  loading = (done: number, total: number): void => void this.loads.push([done, total]);
  progress = ({ step }: { step: number }): void => void this.steps.push(step);
  cell: GridObserver["cell"] = ({ column, row }, picture, done) => {
    this.cells.push({ column, row, picture, done });
    this.oncell(done);
  };
}

const job = (id: string, change: Partial<GenerationRequest> = {}, more: { slot?: string } = {}) => ({
  id, request: { ...request, ...change }, adapters: [], ...more,
});

/** Lets a test hold the generator at its first step. */
function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let reach = (): void => undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  return { open: () => open(), reached, wait: () => (reach(), opened) };
}

describe("a picture", () => {
  it("comes as a PNG that carries the webui's text, and tells its steps", async () => {
    const { session, engine } = setUp();
    const observer = new Observer();
    await session.openModel(model);
    await session.openAdapter({ kind: "file", file: adapterFile("smith") });
    const picture = await session.generate({ ...job("a"), adapters: [weight("smith", 0.8)] }, observer);
    expect(observer.loads).toEqual([[1, 2]]);
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

describe("the GPU", () => {
  it("is given back after idle time, and taken again for the next picture", async () => {
    const { session, engine, states, room } = setUp({ idleMs: 5 });
    await session.openModel(model);
    await session.generate(job("1"), new Observer());
    expect(room.isHeld).toBe(true);
    await expect.poll(() => states.at(-1)).toEqual({ state: "released", reason: "idle" });
    expect([room.isHeld, engine.alive]).toEqual([false, 0]);
    await session.generate(job("2"), new Observer());
    expect(engine.opened).toBe(2);
  });

  it("goes to training at once: what is drawn ends with the reason, what waits is refused", async () => {
    const { session, engine, states, room } = setUp();
    await session.openModel(model);
    const held = gate();
    engine.step = held.wait;
    const running = session.generate(job("1"), new Observer());
    const waiting = session.generate(job("2"), new Observer());
    await held.reached;
    room.refusal = new TrainingLiveError();
    room.claim("training");
    expect([room.isHeld, engine.alive]).toEqual([false, 0]);
    await expect(running).rejects.toMatchObject({ code: "generation.trainingStarted" });
    await expect(waiting).rejects.toMatchObject({ code: "generation.training" });
    expect(states.at(-1)).toEqual({ state: "released", reason: "training" });
    held.open();
  });

  it("goes to training also while a model is being loaded", async () => {
    const { session, engine, room } = setUp();
    await session.openModel(model);
    const held = gate();
    const open = engine.open.bind(engine);
    engine.open = async (bench, options) => {
      await held.wait();
      return open(bench, options);
    };
    const running = session.generate(job("1"), new Observer());
    await held.reached;
    room.claim("training");
    held.open();
    await expect(running).rejects.toMatchObject({ code: "generation.trainingStarted" });
    expect([room.isHeld, engine.alive]).toEqual([false, 0]);
  });

  it("goes to another tab only while nothing is drawn", async () => {
    const { session, engine, states, room } = setUp();
    await session.openModel(model);
    engine.step = (step) => {
      if (step === 2) room.claim("otherTab");
    };
    await session.generate(job("1"), new Observer());
    expect(room.isHeld).toBe(true);
    room.claim("otherTab");
    expect(states.at(-1)).toEqual({ state: "released", reason: "otherTab" });
    expect(room.isHeld).toBe(false);
    room.refusal = new OtherTabDrawsError();
    await expect(session.generate(job("2"), new Observer())).rejects.toMatchObject({ code: "generation.otherTab" });
  });

  it("that is lost while drawing is opened again, once", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    let losses = 0;
    engine.step = (step) => {
      if (step === 3 && losses++ === 0) engine.lose();
    };
    await session.generate(job("1"), new Observer());
    expect([engine.opened, engine.alive, engine.drawn.length]).toEqual([2, 1, 1]);
    engine.step = () => engine.lose();
    await expect(session.generate(job("2"), new Observer())).rejects.toMatchObject({ code: "gpu.deviceLost" });
    expect([engine.opened, engine.alive]).toEqual([3, 0]);
  });

  it("that is lost while idle is said", async () => {
    const { session, engine, states, room } = setUp();
    await session.openModel(model);
    await session.generate(job("1"), new Observer());
    engine.lose();
    await expect.poll(() => states.at(-1)).toEqual({ state: "released", reason: "deviceLost" });
    expect([room.isHeld, engine.alive]).toEqual([false, 0]);
  });

  it("is given back when the page asks, and running jobs end as cancelled", async () => {
    const { session, engine, room } = setUp();
    await session.openModel(model);
    const held = gate();
    engine.step = held.wait;
    const running = session.generate(job("1"), new Observer());
    await held.reached;
    await session.release();
    await expect(running).rejects.toMatchObject({ code: "cancelled" });
    expect([room.isHeld, engine.alive]).toEqual([false, 0]);
    held.open();
  });
});

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
