/**
 * Places every temporary of a step in a few arena buffers. Pure arithmetic: the result is both the allocation and
 * the forecast shown to the user.
 *
 * Lifetimes are counted in kernel calls. Two rules: tensors whose lifetimes overlap may not overlap in memory; and,
 * because WebGPU forbids binding one buffer read-only and writable in the same dispatch, a tensor written by a call
 * lives in another buffer than the temporaries that the call reads.
 */
import { LorasmithError } from "../../errors.ts";
import type { EngineLimits } from "../tier.ts";
import { byteLength, type Tensor } from "./tensor.ts";

/** What the plan needs to know of a kernel call. */
export interface CallAccess {
  readonly reads: readonly Tensor[];
  readonly writes: readonly Tensor[];
}

export interface Placement {
  readonly chunk: number;
  readonly offset: number;
}

export interface MemoryPlan {
  readonly placements: ReadonlyMap<Tensor, Placement>;
  /** Bytes of each arena buffer. */
  readonly chunkBytes: readonly number[];
  readonly totalBytes: number;
  /** The most bytes alive at any call: no plan can be smaller. */
  readonly peakLiveBytes: number;
  /** Call index at which the most bytes are alive. */
  readonly peakCall: number;
  readonly lifetimes: ReadonlyMap<Tensor, Lifetime>;
}

export interface Lifetime {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

export class BindingTooLargeError extends LorasmithError {
  constructor(tensor: string, bytes: number, limit: number) {
    super(
      "gpu.bindingTooLarge",
      `${tensor} needs ${bytes} bytes in one binding, this GPU allows ${limit}: use a smaller train_batch_size or resolution`,
      { tensor, bytes, limit },
    );
  }
}

interface Placed {
  readonly tensor: Tensor;
  readonly life: Lifetime;
  readonly offset: number;
}

export function planMemory(calls: readonly CallAccess[], kept: ReadonlySet<Tensor>, limits: EngineLimits): MemoryPlan {
  const align = limits.minStorageBufferOffsetAlignment;
  const lifetimes = findLifetimes(calls, kept, align);
  const conflicts = findConflicts(calls);
  for (const tensor of lifetimes.keys()) {
    const bytes = byteLength(tensor);
    if (bytes > limits.maxStorageBufferBindingSize) {
      throw new BindingTooLargeError(tensor.name, bytes, limits.maxStorageBufferBindingSize);
    }
  }
  const { peakLiveBytes, peakCall } = findPeak(lifetimes, calls.length);

  // No single greedy order is always best; both are cheap, so take the smaller result.
  const bySize = [...lifetimes].sort((a, b) => b[1].bytes - a[1].bytes || a[1].first - b[1].first);
  const duration = (life: Lifetime): number => life.bytes * (life.last - life.first + 1);
  const byArea = [...lifetimes].sort((a, b) => duration(b[1]) - duration(a[1]) || a[1].first - b[1].first);
  const plans = [place(bySize, conflicts, limits), place(byArea, conflicts, limits)];
  const best = plans.reduce((a, b) => (b.totalBytes < a.totalBytes ? b : a));
  return { ...best, peakLiveBytes, peakCall, lifetimes };
}

function findLifetimes(calls: readonly CallAccess[], kept: ReadonlySet<Tensor>, align: number): Map<Tensor, Lifetime> {
  const lifetimes = new Map<Tensor, Lifetime>();
  calls.forEach((call, index) => {
    for (const tensor of [...call.reads, ...call.writes]) {
      if (tensor.role !== "temp") continue;
      const known = lifetimes.get(tensor);
      const bytes = known?.bytes ?? Math.ceil(byteLength(tensor) / align) * align;
      lifetimes.set(tensor, { first: known?.first ?? index, last: index, bytes });
    }
  });
  for (const tensor of kept) {
    const life = lifetimes.get(tensor);
    if (life !== undefined) lifetimes.set(tensor, { ...life, last: calls.length });
  }
  return lifetimes;
}

/** For each temp, the temps that may not share its buffer. */
function findConflicts(calls: readonly CallAccess[]): Map<Tensor, Set<Tensor>> {
  const conflicts = new Map<Tensor, Set<Tensor>>();
  const link = (a: Tensor, b: Tensor): void => {
    const set = conflicts.get(a);
    if (set === undefined) conflicts.set(a, new Set([b]));
    else set.add(b);
  };
  for (const { reads, writes } of calls) {
    for (const written of writes) {
      if (written.role !== "temp") continue;
      for (const read of reads) {
        if (read.role !== "temp" || read === written) continue;
        link(written, read);
        link(read, written);
      }
    }
  }
  return conflicts;
}

function findPeak(lifetimes: ReadonlyMap<Tensor, Lifetime>, callCount: number): { peakLiveBytes: number; peakCall: number } {
  const change = new Float64Array(callCount + 2);
  for (const { first, last, bytes } of lifetimes.values()) {
    change[first] = (change[first] ?? 0) + bytes;
    change[last + 1] = (change[last + 1] ?? 0) - bytes;
  }
  let live = 0;
  let peakLiveBytes = 0;
  let peakCall = 0;
  for (let call = 0; call <= callCount; call++) {
    live += change[call] ?? 0;
    if (live > peakLiveBytes) [peakLiveBytes, peakCall] = [live, call];
  }
  return { peakLiveBytes, peakCall };
}

function place(
  order: readonly (readonly [Tensor, Lifetime])[],
  conflicts: ReadonlyMap<Tensor, ReadonlySet<Tensor>>,
  limits: EngineLimits,
): { placements: Map<Tensor, Placement>; chunkBytes: number[]; totalBytes: number } {
  const chunks: { bytes: number; placed: Placed[] }[] = [];
  const placements = new Map<Tensor, Placement>();
  for (const [tensor, life] of order) {
    const forbidden = new Set<number>();
    for (const other of conflicts.get(tensor) ?? []) {
      const placement = placements.get(other);
      if (placement !== undefined) forbidden.add(placement.chunk);
    }
    let best: { chunk: number; offset: number; growth: number } | undefined;
    chunks.forEach((chunk, index) => {
      if (forbidden.has(index) || best?.growth === 0) return;
      const offset = findGap(chunk.placed, life);
      if (offset + life.bytes > limits.maxBufferSize) return;
      const growth = Math.max(0, offset + life.bytes - chunk.bytes);
      if (best === undefined || growth < best.growth) best = { chunk: index, offset, growth };
    });
    if (best === undefined) {
      chunks.push({ bytes: 0, placed: [] });
      best = { chunk: chunks.length - 1, offset: 0, growth: life.bytes };
    }
    const { chunk: index, offset } = best;
    const chunk = chunks[index];
    if (chunk === undefined) continue;
    chunk.bytes = Math.max(chunk.bytes, offset + life.bytes);
    insertSorted(chunk.placed, { tensor, life, offset });
    placements.set(tensor, { chunk: index, offset });
  }
  const chunkBytes = chunks.map((chunk) => chunk.bytes);
  return { placements, chunkBytes, totalBytes: chunkBytes.reduce((a, b) => a + b, 0) };
}

/** Lowest offset where the tensor fits between those alive at the same time. `placed` is sorted by offset. */
function findGap(placed: readonly Placed[], life: Lifetime): number {
  let offset = 0;
  for (const other of placed) {
    if (other.life.last < life.first || other.life.first > life.last) continue;
    if (other.offset - offset >= life.bytes) return offset;
    offset = Math.max(offset, other.offset + other.life.bytes);
  }
  return offset;
}

function insertSorted(placed: Placed[], item: Placed): void {
  let low = 0;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((placed[middle]?.offset ?? 0) <= item.offset) low = middle + 1;
    else high = middle;
  }
  placed.splice(low, 0, item);
}
