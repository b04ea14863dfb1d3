/** The GPU memory of one adapter: packed factors, DoRA's ratios, and a slot of scalars for every call. */
import type { Gpu } from "../gpu/device.ts";
import { uniformStride } from "../gpu/program/plan.ts";
import { isHalf, readDelta, readMagnitudes } from "../lora/network-delta.ts";
import { packFactors } from "./adapter-factors.ts";
import type { AdapterPlan, Range } from "./adapter-plan.ts";
import type { AdapterWeight } from "./request.ts";

/** Bytes handed to the queue before waiting for it, so that staging memory stays small. */
const maxBytesInFlight = 64 * 2 ** 20;

export type Strengths = Pick<AdapterWeight, "unet" | "textEncoder">;

export const noStrength: Strengths = { unet: 0, textEncoder: 0 };

export class LoadedAdapter {
  readonly plan: AdapterPlan;
  /** As last applied. */
  strengths = noStrength;
  readonly #gpu: Gpu;
  readonly #chunks: readonly GPUBuffer[];
  readonly #ratios: GPUBuffer | undefined;
  readonly #uniforms: GPUBuffer | undefined;
  readonly #scalars: ArrayBuffer;
  #isStale = false;

  private constructor(gpu: Gpu, plan: AdapterPlan, buffers: readonly GPUBuffer[]) {
    this.#gpu = gpu;
    this.plan = plan;
    this.#scalars = new ArrayBuffer(plan.uniformBytes);
    const rest = [...buffers];
    this.#chunks = rest.splice(0, plan.chunkBytes.length);
    this.#ratios = plan.ratioBytes > 0 ? rest.shift() : undefined;
    this.#uniforms = plan.uniformBytes > 0 ? rest.shift() : undefined;
  }

  /** Allocates and reads the factors, module by module. @throws OutOfMemoryError, InputError `lora.notFinite` */
  static async load(gpu: Gpu, plan: AdapterPlan, signal?: AbortSignal): Promise<LoadedAdapter> {
    const { COPY_DST, STORAGE, UNIFORM } = GPUBufferUsage;
    const { name, chunkBytes, ratioBytes, uniformBytes } = plan;
    const sizes = [...chunkBytes, ratioBytes, uniformBytes].filter((bytes) => bytes > 0);
    const buffers = await gpu.allocate(`adapter ${name}`, sizes, STORAGE | UNIFORM | COPY_DST);
    const adapter = new LoadedAdapter(gpu, plan, buffers);
    try {
      await adapter.#upload(signal);
      return adapter;
    } catch (error) {
      adapter.destroy();
      throw error;
    }
  }

  async #upload(signal: AbortSignal | undefined): Promise<void> {
    const { match, calls } = this.plan;
    let inFlight = 0;
    const write = ({ chunk, offset }: Range, data: ArrayBufferView<ArrayBuffer>): void => {
      this.#gpu.write(this.#chunks[chunk]!, offset, data);
      inFlight += data.byteLength;
    };
    for (const { module, place, count, factors, dora } of calls) {
      signal?.throwIfAborted();
      const { source } = module;
      const delta = await readDelta(match.network.file, source, place.taps);
      write(factors, packFactors(delta, place, count, isHalf(source)));
      if (dora !== undefined) {
        const magnitudes = new Float32Array(dora.magnitudes.bytes / 4);
        magnitudes.set(await readMagnitudes(match.network.file, source));
        write(dora.magnitudes, magnitudes);
      }
      if (inFlight > maxBytesInFlight) {
        await this.#gpu.idle();
        inFlight = 0;
      }
    }
  }

  get bytes(): number {
    return this.#buffers().reduce((total, buffer) => total + buffer.size, 0);
  }

  factors({ chunk, offset, bytes }: Range): GPUBufferBinding {
    return { buffer: this.#chunks[chunk]!, offset, size: Math.ceil(bytes / 16) * 16 };
  }

  ratios({ offset, bytes }: Omit<Range, "chunk">): GPUBufferBinding {
    return { buffer: this.#ratios!, offset, size: bytes };
  }

  scalars(index: number): GPUBufferBinding {
    return { buffer: this.#uniforms!, offset: index * uniformStride, size: uniformStride };
  }

  /** Changes the scalars of a call; `uploadScalars` sends them. */
  writeScalars(index: number, write: (view: DataView) => void): void {
    write(new DataView(this.#scalars, index * uniformStride, uniformStride));
    this.#isStale = true;
  }

  uploadScalars(): void {
    if (this.#isStale && this.#uniforms !== undefined) this.#gpu.write(this.#uniforms, 0, new Uint8Array(this.#scalars));
    this.#isStale = false;
  }

  destroy(): void {
    for (const buffer of this.#buffers()) this.#gpu.destroyBuffer(buffer);
  }

  #buffers(): GPUBuffer[] {
    return [...this.#chunks, this.#ratios, this.#uniforms].filter((buffer) => buffer !== undefined);
  }
}
