/**
 * The generator while it is on the GPU: opened when somebody draws, given back after idle time, when another tab wants
 * to draw, and at once when training starts. A lost device is made up for once.
 */
import { CancelledError, LorasmithError } from "../errors.ts";
import type { Bench, Extras, GenerateEngine, OpenGenerator } from "./generate-engine.ts";
import { TrainingLiveError, TrainingStartedError } from "./generate-errors.ts";
import type { GeneratorState } from "./generate-protocol.ts";
import type { GpuLease, RoomClaim } from "./gpu-room.ts";

export interface HolderServices {
  readonly takeRoom: (onwanted: (by: RoomClaim) => void) => Promise<GpuLease>;
  /** Time without drawing after which the memory is given back. */
  readonly idleMs: number;
}

interface Held {
  readonly bench: Bench;
  readonly generator: OpenGenerator;
  readonly lease: GpuLease;
  extras: Extras | undefined;
}

export interface UseOptions {
  readonly signal: AbortSignal;
  loading(done: number, total: number): void;
}

type ReleaseReason = Extract<GeneratorState, { state: "released" }>["reason"];

export class GeneratorHolder {
  readonly #engine: Pick<GenerateEngine, "open">;
  readonly #services: HolderServices;
  readonly #watchers: ((state: GeneratorState) => void)[] = [];
  #state: GeneratorState = { state: "closed" };
  #held: Held | undefined;
  /** Ends what is being done, while something is. */
  #eviction: AbortController | undefined;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(engine: Pick<GenerateEngine, "open">, services: HolderServices) {
    this.#engine = engine;
    this.#services = services;
  }

  watch(onstate: (state: GeneratorState) => void): void {
    this.#watchers.push(onstate);
    onstate(this.#state);
  }

  /**
   * Does `work` with a generator for this bench and these extras. One call at a time. Throws what the engine does;
   * TrainingStartedError where training took the GPU; the signal's reason where that was aborted.
   */
  async use<T>(
    bench: Bench,
    extras: Extras,
    options: UseOptions,
    work: (generator: OpenGenerator, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    clearTimeout(this.#idleTimer);
    const eviction = new AbortController();
    this.#eviction = eviction;
    const signal = AbortSignal.any([options.signal, eviction.signal]);
    try {
      for (let attempts = 1; ; attempts++) {
        try {
          const generator = await this.#ready(bench, extras, { ...options, signal });
          // A device that was taken away may never answer.
          return await Promise.race([work(generator, signal), rejection(eviction.signal)]);
        } catch (error) {
          if (signal.aborted) throw signal.reason;
          if (!isDeviceLost(error)) throw error;
          this.#drop({ state: "released", reason: "deviceLost" });
          if (attempts > 1) throw error;
        }
      }
    } finally {
      this.#eviction = undefined;
      if (this.#held !== undefined) this.#idleTimer = setTimeout(() => this.#release("idle"), this.#services.idleMs);
    }
  }

  /** Gives the memory back for other reasons: the bench changed, or the page asks for it. */
  close(): void {
    this.#eviction?.abort(new CancelledError());
    this.#drop({ state: "closed" });
  }

  async #ready(bench: Bench, extras: Extras, options: UseOptions): Promise<OpenGenerator> {
    options.signal.throwIfAborted();
    if (this.#held?.bench !== bench) this.#held = await this.#open(bench, options);
    const held = this.#held;
    if (!isSame(held.extras, extras)) {
      held.extras = undefined;
      await held.generator.setExtras(extras, options.signal);
      held.extras = extras;
    }
    return held.generator;
  }

  async #open(bench: Bench, { signal, loading }: UseOptions): Promise<Held> {
    // Memory for the next model comes from the last one.
    this.#drop({ state: "loading" });
    let lease: GpuLease | undefined;
    try {
      lease = await this.#services.takeRoom((by) => this.#wanted(by));
      const generator = await this.#engine.open(bench, { signal, onProgress: loading });
      if (signal.aborted) generator.destroy();
      signal.throwIfAborted();
      void generator.lost.then(() => {
        if (this.#held?.generator === generator) this.#release("deviceLost");
      });
      this.#tell({ state: "ready" });
      return { bench, generator, lease, extras: undefined };
    } catch (error) {
      lease?.release();
      const reasons: unknown[] = [error, this.#eviction?.signal.reason];
      const isTraining = reasons.some((one) => one instanceof TrainingLiveError || one instanceof TrainingStartedError);
      this.#tell(isTraining ? { state: "released", reason: "training" } : { state: "closed" });
      throw error;
    }
  }

  #wanted(by: RoomClaim): void {
    if (by === "otherTab" && this.#eviction !== undefined) return;
    this.#eviction?.abort(new TrainingStartedError());
    this.#release(by);
  }

  #release(reason: ReleaseReason): void {
    if (this.#held !== undefined) this.#drop({ state: "released", reason });
  }

  #drop(state: GeneratorState): void {
    clearTimeout(this.#idleTimer);
    const held = this.#held;
    this.#held = undefined;
    held?.generator.destroy();
    held?.lease.release();
    this.#tell(state);
  }

  #tell(state: GeneratorState): void {
    this.#state = state;
    for (const watcher of this.#watchers) watcher(state);
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject: (reason: unknown) => void) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

function isSame(a: Extras | undefined, b: Extras): boolean {
  return a !== undefined && isSameList(a.adapters, b.adapters) && isSameList(a.embeddings, b.embeddings);
}

function isSameList(a: readonly File[], b: readonly File[]): boolean {
  return a.length === b.length && a.every((file, i) => file === b[i]);
}

function isDeviceLost(error: unknown): boolean {
  return error instanceof LorasmithError && error.code === "gpu.deviceLost";
}
