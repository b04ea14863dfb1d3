/** The drawing session over a generator without numbers, and what its tests ask of it. */
import { CancelledError, InputError } from "../../../src/errors.ts";
import { DeviceLostError } from "../../../src/gpu/errors.ts";
import type { GenerationRequest } from "../../../src/generation/request.ts";
import type { TrainedStore } from "../../../src/storage/trained-store.ts";
import type { Bench, DrawOptions, GenerateEngine, OpenGenerator } from "../../../src/workers/generate-engine.ts";
import type { FinishedPicture, GeneratorState, GridObserver } from "../../../src/workers/generate-protocol.ts";
import { GenerateSession } from "../../../src/workers/generate-session.ts";
import type { RoomClaim } from "../../../src/workers/gpu-room.ts";
import { tinyPng } from "./tiny-png.ts";

export const request: GenerationRequest = {
  prompt: "smith", negative: "", seed: 1, steps: 4, cfg: 7, sampler: "euler", schedule: "automatic",
  width: 64, height: 64, clipSkip: 1,
};
export const model = { kind: "file", file: new File(["m"], "base.safetensors") } as const;
export const adapterFile = (name: string, text = name): File => new File([text], `${name}.safetensors`, { lastModified: 1 });
export const weight = (name: string, unet: number) => ({ name, unet, textEncoder: unet });

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
      options.onCompile(3, 4);
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

export function setUp({ idleMs = 1e6, trained = noRuns }: { idleMs?: number; trained?: TrainedStore } = {}) {
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

export class Observer implements GridObserver {
  loads: number[][] = [];
  compiled: number[][] = [];
  steps: number[] = [];
  cells: { column: number; row: number; done: number; picture: FinishedPicture }[] = [];
  oncell: (done: number) => void = () => undefined;
  loading = (done: number, total: number): void => void this.loads.push([done, total]);
  compiling = (done: number, total: number): void => void this.compiled.push([done, total]);
  progress = ({ step }: { step: number }): void => void this.steps.push(step);
  cell: GridObserver["cell"] = ({ column, row }, picture, done) => {
    this.cells.push({ column, row, picture, done });
    this.oncell(done);
  };
}

export const job = (id: string, change: Partial<GenerationRequest> = {}, more: { slot?: string } = {}) => ({
  id, request: { ...request, ...change }, adapters: [], ...more,
});

/** Lets a test hold the generator at its first step. */
export function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let reach = (): void => undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  return { open: () => open(), reached, wait: () => (reach(), opened) };
}
