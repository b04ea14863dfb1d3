/**
 * Draws the pair that the Test screen compares: with the LoRAs and without, at the same seed. The old pictures stay
 * until the new ones are there; what was drawn once comes from the cache.
 */
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { AdapterWeight, GenerationProgress, GenerationRequest } from "../../generation/request.ts";
import type { FinishedPicture, GenerateWorkerApi } from "../../workers/generate-protocol.ts";
import { withoutLoras } from "./prompt-loras.ts";
import { PictureCache } from "./test-cache.ts";

export interface DrawOrder {
  /** Model, VAE and embeddings, as one word. */
  readonly identity: string;
  readonly request: GenerationRequest;
  readonly adapters: readonly AdapterWeight[];
  /** Also without the LoRAs, for the other half. */
  readonly compares: boolean;
}

export type Side = "with" | "without";

export interface DrawingNow {
  readonly side: Side;
  readonly progress?: GenerationProgress;
  /** Bytes of the model, while it is being loaded. */
  readonly loading?: { readonly done: number; readonly total: number };
  /** Of the GPU's programs, before the first step at a new size. */
  readonly compiling?: { readonly done: number; readonly total: number };
}

interface Shown {
  readonly key: string;
  readonly picture: FinishedPicture;
}

/** A slider being dragged asks for many pictures; only the latest that waits is drawn. */
const slot = "compare";

export class TestDrawing {
  readonly #client: () => GenerateWorkerApi;
  readonly #cache = new PictureCache<FinishedPicture>();
  #with: Shown | undefined = $state.raw();
  #without: Shown | undefined = $state.raw();
  #now: DrawingNow | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #jobId: string | undefined;
  #turn = 0;

  constructor(client: () => GenerateWorkerApi) {
    this.#client = client;
  }

  /** The picture with the LoRAs. */
  get picture() {
    return this.#with?.picture;
  }
  /** The same without them; undefined where it is not wanted or not there yet. */
  get base() {
    return this.#without?.picture;
  }
  /** What is being drawn. */
  get now() {
    return this.#now;
  }
  get error() {
    return this.#error;
  }

  /** Draws what is not known yet. Resolves with the picture where it was newly drawn, and nothing later took its place. */
  async draw(order: DrawOrder): Promise<FinishedPicture | undefined> {
    this.#turn += 1;
    const turn = this.#turn;
    void this.#cancelJob();
    this.#error = undefined;
    const bare = withoutTags(order.request);
    const wanted = keyOf(order.identity, order.request, order.adapters);
    const wantedBase = keyOf(order.identity, bare, []);
    const hasBase = order.compares && wantedBase !== wanted;
    try {
      const known = this.#cache.get(wanted);
      const picture = known ?? (await this.#ask("with", order.request, order.adapters, wanted));
      if (turn !== this.#turn) return undefined;
      this.#with = { key: wanted, picture };
      if (!hasBase) {
        this.#without = undefined;
        return known === undefined ? picture : undefined;
      }
      if (this.#without?.key !== wantedBase) {
        const knownBase = this.#cache.get(wantedBase);
        // Two halves of different requests would compare nothing.
        this.#without = undefined;
        const base = knownBase ?? (await this.#ask("without", bare, [], wantedBase));
        if (turn !== this.#turn) return undefined;
        this.#without = { key: wantedBase, picture: base };
      }
      return known === undefined ? picture : undefined;
    } catch (thrown) {
      const error = serializeError(thrown);
      if (turn === this.#turn && error.code !== "cancelled") this.#error = error;
      return undefined;
    } finally {
      if (turn === this.#turn) this.#now = undefined;
    }
  }

  /** Ends what is being drawn; the pictures shown stay. */
  async cancel(): Promise<void> {
    this.#turn += 1;
    this.#now = undefined;
    await this.#cancelJob();
  }

  dismissError(): void {
    this.#error = undefined;
  }

  async #ask(side: Side, request: GenerationRequest, adapters: readonly AdapterWeight[], key: string): Promise<FinishedPicture> {
    const id = crypto.randomUUID();
    this.#jobId = id;
    this.#now = { side };
    const tell = (now: Omit<DrawingNow, "side">): void => {
      if (this.#jobId === id) this.#now = { side, ...now };
    };
    try {
      const picture = await this.#client().generate(
        { id, request, adapters, slot, wantsPreviews: true },
        {
          loading: (done, total) => tell({ loading: { done, total } }),
          compiling: (done, total) => tell({ compiling: { done, total } }),
          progress: (progress) => tell({ progress }),
        },
      );
      this.#cache.set(key, picture);
      return picture;
    } finally {
      if (this.#jobId === id) this.#jobId = undefined;
    }
  }

  async #cancelJob(): Promise<void> {
    const id = this.#jobId;
    this.#jobId = undefined;
    if (id !== undefined) await this.#client().cancel(id);
  }
}

/** The base model's picture must not be touched by `<lora:…>` tags either. */
function withoutTags(request: GenerationRequest): GenerationRequest {
  return { ...request, prompt: withoutLoras(request.prompt) };
}

function keyOf(identity: string, request: GenerationRequest, adapters: readonly AdapterWeight[]): string {
  return JSON.stringify([identity, request, adapters]);
}
