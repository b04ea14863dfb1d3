/**
 * Memory that outlives a step: weights, adapters, gradients, inputs, outputs. Tensors of a pool are packed in order
 * into buffers; programs for different shapes share them by name.
 */
import { invariant } from "../../errors.ts";
import { byteLength, type Tensor } from "../graph/tensor.ts";
import type { Gpu } from "../device.ts";
import type { EngineLimits } from "../tier.ts";

export interface ResidentSlot {
  readonly pool: string;
  readonly chunk: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface ResidentPlan {
  /** By tensor name. */
  readonly slots: ReadonlyMap<string, ResidentSlot>;
  /** Buffer sizes of each pool. */
  readonly pools: ReadonlyMap<string, readonly number[]>;
  readonly totalBytes: number;
}

const alignment = 256;

/**
 * Packs resident tensors. The same name in several programs gets one slot of the largest size.
 * Buffers are at most 128 MiB, so that each can be bound whole (the optimizer does) on any device.
 */
export function planResidents(tensors: Iterable<Tensor>, limits: EngineLimits): ResidentPlan {
  const largest = new Map<string, { pool: string; bytes: number }>();
  for (const tensor of tensors) {
    invariant(tensor.role !== "temp", "temps live in the arena");
    if (tensor.role === "pool") continue;
    const bytes = Math.ceil(byteLength(tensor) / alignment) * alignment;
    const known = largest.get(tensor.name);
    largest.set(tensor.name, { pool: tensor.pool, bytes: Math.max(bytes, known?.bytes ?? 0) });
  }
  const chunkLimit = Math.min(128 * 2 ** 20, limits.maxBufferSize);
  const pools = new Map<string, number[]>();
  const slots = new Map<string, ResidentSlot>();
  for (const [name, { pool, bytes }] of largest) {
    const chunks = pools.get(pool) ?? [];
    pools.set(pool, chunks);
    let chunk = chunks.length - 1;
    if (chunk < 0 || (chunks[chunk] ?? 0) + bytes > chunkLimit) {
      chunks.push(0);
      chunk++;
    }
    const offset = chunks[chunk] ?? 0;
    chunks[chunk] = offset + bytes;
    slots.set(name, { pool, chunk, offset, bytes });
  }
  const totalBytes = [...pools.values()].flat().reduce((a, b) => a + b, 0);
  return { slots, pools, totalBytes };
}

/** GPU memory of a resident plan. */
export class Residents {
  readonly plan: ResidentPlan;
  readonly #gpu: Gpu;
  readonly #buffers: ReadonlyMap<string, readonly GPUBuffer[]>;

  private constructor(gpu: Gpu, plan: ResidentPlan, buffers: ReadonlyMap<string, readonly GPUBuffer[]>) {
    this.#gpu = gpu;
    this.plan = plan;
    this.#buffers = buffers;
  }

  /** Allocates all pools, zero-filled. @throws OutOfMemoryError */
  static async allocate(gpu: Gpu, plan: ResidentPlan): Promise<Residents> {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const buffers = new Map<string, readonly GPUBuffer[]>();
    try {
      for (const [pool, sizes] of plan.pools) buffers.set(pool, await gpu.allocate(pool, sizes, usage));
    } catch (error) {
      for (const buffer of [...buffers.values()].flat()) gpu.destroyBuffer(buffer);
      throw error;
    }
    return new Residents(gpu, plan, buffers);
  }

  /** Where a tensor lives; `pool#i` means the whole i-th buffer of a pool. */
  locate(name: string): { buffer: GPUBuffer; offset: number; bytes: number } {
    const whole = /^(.+)#(\d+)$/.exec(name);
    const buffers = whole?.[1] === undefined ? undefined : this.#buffers.get(whole[1]);
    if (whole !== null && buffers !== undefined) {
      const buffer = buffers[Number(whole[2])];
      invariant(buffer !== undefined, `pool ${whole[1] ?? ""} has no buffer ${whole[2] ?? ""}`);
      return { buffer, offset: 0, bytes: buffer.size };
    }
    const slot = this.plan.slots.get(name);
    invariant(slot !== undefined, `no resident ${name}`);
    const buffer = this.#buffers.get(slot.pool)?.[slot.chunk];
    invariant(buffer !== undefined, `no buffer for resident ${name}`);
    return { buffer, offset: slot.offset, bytes: slot.bytes };
  }

  write(name: string, data: ArrayBufferView<ArrayBuffer>, byteOffset = 0): void {
    const { buffer, offset, bytes } = this.locate(name);
    invariant(byteOffset + data.byteLength <= bytes, `${name}: ${data.byteLength} bytes do not fit`);
    this.#gpu.write(buffer, offset + byteOffset, data);
  }

  async read(name: string, bytes?: number): Promise<ArrayBuffer> {
    const slot = this.locate(name);
    return this.#gpu.read(slot.buffer, slot.offset, bytes ?? slot.bytes);
  }

  destroy(): void {
    for (const buffer of [...this.#buffers.values()].flat()) this.#gpu.destroyBuffer(buffer);
  }
}
