/** What the picture that is asked for will cost: the engine's forecast, and time by the speed of the last picture. */
import * as v from "valibot";
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { AdapterWeight, GenerationRequest } from "../../generation/request.ts";
import type { FinishedPicture, GenerateWorkerApi, GenerationForecast } from "../../workers/generate-protocol.ts";

/** Typing has ended. */
const restMs = 250;

/** Work per millisecond of the last picture, on the GPU of that name. */
export const speedSchema = v.object({ gpu: v.string(), flopsPerMs: v.number() });
export type Speed = v.InferOutput<typeof speedSchema>;

export interface AskedPicture {
  readonly request: GenerationRequest;
  readonly adapters: readonly AdapterWeight[];
}

/** What the costs depend on. */
export interface CostHost {
  readonly gpuName: () => string | undefined;
  /** Undefined while there is no model to ask about. */
  readonly asked: () => AskedPicture | undefined;
  /** The speed is another one than before. */
  readonly onspeed: () => void;
}

export class TestCosts {
  readonly #client: () => GenerateWorkerApi;
  readonly #host: CostHost;
  #forecast: GenerationForecast | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #speed: Speed | undefined = $state.raw();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  constructor(client: () => GenerateWorkerApi, host: CostHost) {
    this.#client = client;
    this.#host = host;
  }

  get forecast() {
    return this.#forecast;
  }
  /** Why what is asked for cannot be drawn. */
  get error() {
    return this.#error;
  }
  get speed() {
    return this.#speed;
  }
  /** For the speed of the last visit. */
  set speed(speed: Speed | undefined) {
    this.#speed = speed;
  }

  /** Expected time of work, from the last picture on this GPU; undefined before there was one. */
  timeOf(flops: number): number | undefined {
    const speed = this.#speed;
    return speed === undefined || speed.gpu !== this.#host.gpuName() ? undefined : flops / speed.flopsPerMs;
  }

  /** Call after a change of what is asked for. */
  refreshSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#refresh(), restMs);
  }

  /** Learns the speed from a picture. */
  async learnFrom({ milliseconds }: FinishedPicture, { request, adapters }: AskedPicture): Promise<void> {
    const gpu = this.#host.gpuName();
    if (gpu === undefined || milliseconds <= 0) return;
    const forecast = await this.#client().forecast(request, adapters).catch(() => undefined);
    if (forecast === undefined) return;
    this.#speed = { gpu, flopsPerMs: forecast.flops / milliseconds };
    this.#host.onspeed();
  }

  async #refresh(): Promise<void> {
    const asked = this.#host.asked();
    if (asked === undefined) return;
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const forecast = await this.#client().forecast(asked.request, asked.adapters);
      if (turn !== this.#turn) return;
      this.#forecast = forecast;
      this.#error = undefined;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#forecast = undefined;
      this.#error = serializeError(error);
    }
  }
}
