/**
 * Regularization pictures of the class, drawn by the base model itself: what it thinks of the class is what training is
 * to keep. The Test screen's model, size and steps are used, and no LoRA.
 */
import { serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import type { GenerationProgress } from "../../../generation/request.ts";
import { randomSeed } from "../../../random/rng.ts";
import type { StudioPicture } from "../../../studio/picture.ts";
import { classTokensOf } from "../../../studio/studio-set.ts";
import type { GenerateWorkerApi } from "../../../workers/generate-protocol.ts";
import type { DatasetFile } from "../../../workers/train-protocol.ts";
import type { TestBench } from "../test-bench.svelte.ts";
import type { OpenSet } from "./open-set.svelte.ts";

/** Pictures that go into the set together; a closed tab loses no more than these. */
const batch = 8;
export const mostClassPictures = 1000;

interface Surroundings {
  readonly generator: () => GenerateWorkerApi;
  readonly bench: TestBench;
  readonly open: () => OpenSet | undefined;
  /** Takes files into the open set. */
  readonly take: (files: readonly DatasetFile[]) => Promise<void>;
}

export interface ClassDrawing {
  readonly done: number;
  readonly total: number;
  readonly progress?: GenerationProgress;
}

export class ClassPictures {
  readonly #surroundings: Surroundings;
  #className: string | undefined = $state();
  #negative = $state("");
  #count: number | undefined = $state();
  #now: ClassDrawing | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #jobId: string | undefined;
  #isStopping = $state(false);

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** The class of the set's training pictures, until another one is typed; it is the prompt and the folder's name. */
  get className(): string {
    return this.#className ?? this.#trainingSubset?.className ?? "";
  }
  set className(name: string) {
    this.#className = name;
  }
  get negative() {
    return this.#negative;
  }
  set negative(text: string) {
    this.#negative = text;
  }
  /** By default as many as training shows of its own pictures in an epoch, less those that are there. */
  get count(): number {
    return this.#count ?? Math.min(100, Math.max(1, this.#missing));
  }
  set count(count: number) {
    this.#count = Math.min(mostClassPictures, Math.max(1, Math.round(count)));
  }
  get request() {
    return this.#surroundings.bench.request;
  }
  get now() {
    return this.#now;
  }
  get isStopping() {
    return this.#isStopping;
  }
  get error() {
    return this.#error;
  }
  /** Why nothing can be drawn now. */
  get blockers() {
    return this.#surroundings.bench.blockers;
  }

  wake(): Promise<void> {
    return this.#surroundings.bench.wake();
  }

  /** Draws and takes the pictures into the set, some at a time. What was drawn before an end or a failure is in. */
  async draw(): Promise<void> {
    const prompt = this.className.trim();
    if (prompt === "" || this.blockers.length > 0 || this.#now !== undefined) return;
    this.#error = undefined;
    this.#isStopping = false;
    const total = this.count;
    const first = randomSeed();
    let files: DatasetFile[] = [];
    try {
      for (let done = 0; done < total && !this.#isStopping; done++) {
        this.#now = { done, total };
        const request = { ...this.request, prompt, negative: this.#negative, seed: (first + done) % Number.MAX_SAFE_INTEGER };
        const id = crypto.randomUUID();
        this.#jobId = id;
        const { png } = await this.#surroundings.generator().generate({ id, request, adapters: [] }, {
          loading: () => undefined,
          compiling: () => undefined,
          progress: (progress) => {
            if (this.#jobId === id) this.#now = { done, total, progress };
          },
        });
        files.push({ path: `reg/${this.#folder(prompt)}/class-${request.seed}.png`, file: png });
        if (files.length < batch) continue;
        await this.#surroundings.take(files);
        files = [];
      }
    } catch (thrown) {
      const error = serializeError(thrown);
      if (error.code !== "cancelled") this.#error = error;
    } finally {
      this.#jobId = undefined;
      if (files.length > 0) await this.#surroundings.take(files);
      this.#now = undefined;
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#jobId !== undefined) await this.#surroundings.generator().cancel(this.#jobId);
  }

  dismissError(): void {
    this.#error = undefined;
  }

  /** Of the set's regularization folder of this class, else a new one with a single repeat. */
  #folder(className: string): string {
    const known = this.#surroundings.open()?.subsets.find((subset) => subset.isReg && classTokensOf(subset) === className);
    return `${known?.repeats ?? 1}_${className}`;
  }

  get #trainingSubset() {
    return this.#surroundings.open()?.subsets.find(({ isReg }) => !isReg);
  }

  get #missing(): number {
    const open = this.#surroundings.open();
    if (open === undefined) return 0;
    const showings = (isReg: boolean): number => {
      const repeats = new Map(open.subsets.filter((subset) => subset.isReg === isReg).map(({ id, repeats }) => [id, repeats]));
      return [...open.pictures.values()].reduce((sum, { subset }: StudioPicture) => sum + (repeats.get(subset) ?? 0), 0);
    };
    return showings(false) - showings(true);
  }
}
