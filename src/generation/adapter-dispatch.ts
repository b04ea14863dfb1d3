/** GPU commands of merging adapters: bind groups, dispatches, and copies of the base's bytes. */
import { invariant } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { sliceCalls } from "../gpu/program/program.ts";
import type { Residents } from "../gpu/program/residents.ts";
import type { Kernel } from "./adapter-kernels.ts";
import type { LoadedAdapter } from "./adapter-memory.ts";
import { copyBytes, type AdapterCall } from "./adapter-plan.ts";
import type { LayerPlace } from "./adapter-places.ts";

export interface LoadedCall {
  readonly adapter: LoadedAdapter;
  readonly call: AdapterCall;
  /** Index among the adapter's calls: its slot of scalars. */
  readonly index: number;
}

export interface Dispatch {
  readonly kernel: Kernel;
  readonly bindGroup: GPUBindGroup;
  readonly grid: readonly [number, number, number];
  readonly flops: number;
}

/**
 * @param base copy of the tensor's base bytes
 * @param sums needed by kernels of layers that several adapters change
 */
export function bindCall(
  gpu: Gpu, residents: Residents, { shader, pipeline }: Kernel, { adapter, call, index }: LoadedCall, base: GPUBuffer, sums?: GPUBuffer,
): GPUBindGroup {
  const { module, place, factors, dora } = call;
  const live = residents.locate(place.tensor.name);
  const resources: Record<string, GPUBufferBinding | undefined> = {
    base: { buffer: base },
    factors: adapter.factors(factors),
    magnitudes: dora && adapter.factors(dora.magnitudes),
    ratios: dora && adapter.ratios(dora.ratios),
    sums: sums && { buffer: sums },
    weights: { buffer: live.buffer, offset: live.offset, size: copyBytes(place.tensor) },
  };
  const entries = shader.bindings.map(({ name }, binding): GPUBindGroupEntry => {
    const resource = resources[name];
    invariant(resource !== undefined, `${module.source.name}: nothing to bind for ${name}`);
    return { binding, resource };
  });
  entries.push({ binding: entries.length, resource: adapter.scalars(index) });
  gpu.counters.bindGroups++;
  return gpu.device.createBindGroup({ label: module.source.name, layout: pipeline.getBindGroupLayout(0), entries });
}

/** Submits in slices, as programs run. */
export function runDispatches(gpu: Gpu, dispatches: readonly Dispatch[]): void {
  if (dispatches.length === 0) return;
  let start = 0;
  for (const end of sliceCalls(dispatches)) {
    const encoder = gpu.device.createCommandEncoder({ label: "adapters" });
    const pass = encoder.beginComputePass({ label: "adapters" });
    gpu.counters.passes++;
    for (const { kernel, bindGroup, grid } of dispatches.slice(start, end)) {
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...grid);
    }
    pass.end();
    gpu.submit([encoder.finish()]);
    start = end;
  }
}

/** Fills the copies, which are by tensor name, from the weights. */
export function copyBase(gpu: Gpu, residents: Residents, copies: ReadonlyMap<string, GPUBuffer>): void {
  if (copies.size === 0) return;
  const encoder = gpu.device.createCommandEncoder({ label: "base weights under adapters" });
  for (const [name, copy] of copies) {
    const { buffer, offset } = residents.locate(name);
    encoder.copyBufferToBuffer(buffer, offset, copy, 0, copy.size);
  }
  gpu.submit([encoder.finish()]);
}

/** Puts the base's bytes of these layers back. */
export function restoreBase(
  gpu: Gpu, residents: Residents, copies: ReadonlyMap<string, GPUBuffer>, places: readonly LayerPlace[],
): void {
  if (places.length === 0) return;
  const encoder = gpu.device.createCommandEncoder({ label: "base weights" });
  for (const { tensor, rowStart, rows, taps, paddedChannels } of places) {
    const copy = copies.get(tensor.name);
    invariant(copy !== undefined, "the base was copied");
    const { buffer, offset } = residents.locate(tensor.name);
    const rowBytes = taps * paddedChannels * 2;
    encoder.copyBufferToBuffer(copy, rowStart * rowBytes, buffer, offset + rowStart * rowBytes, rows * rowBytes);
  }
  gpu.submit([encoder.finish()]);
}
