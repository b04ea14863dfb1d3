/**
 * Moves adapter weights and their optimizer state between kohya modules on the CPU and the padded, stacked pools on
 * the GPU. State buffers mirror the layout of the parameter buffers.
 */
import { invariant } from "../errors.ts";
import { stateName } from "../gpu/optimizers/update-graph.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Residents } from "../gpu/program/residents.ts";
import { fromGpu, gpuSize, toGpu, type AdapterModule, type AdapterSet, type ModuleWeights } from "../lora/adapter-set.ts";

/** The adapter itself, its gradients, or the optimizer state of that index. */
export type Bank = "params" | "grads" | number;

export class AdapterMemory {
  readonly #gpu: Gpu;
  readonly #residents: Residents;
  readonly #adapters: AdapterSet;

  constructor(gpu: Gpu, residents: Residents, adapters: AdapterSet) {
    this.#gpu = gpu;
    this.#residents = residents;
    this.#adapters = adapters;
  }

  /** Reads all modules of a bank, by kohya name. */
  async read(bank: Bank): Promise<Map<string, ModuleWeights>> {
    const copies = new Map<string, Float32Array<ArrayBuffer>>();
    const part = async (module: AdapterModule, tensor: string, offset: number, count: number) => {
      const place = this.#place(module, tensor, bank);
      let copy = copies.get(place.key);
      if (copy === undefined) {
        copy = new Float32Array(await this.#gpu.read(place.buffer, 0, place.buffer.size));
        copies.set(place.key, copy);
      }
      const start = place.offset / 4 + offset;
      return copy.subarray(start, start + count);
    };
    const result = new Map<string, ModuleWeights>();
    for (const module of this.#adapters.modules) {
      const size = gpuSize(module);
      const down = await part(module, module.downTensor, module.downOffset, size.down);
      const up = await part(module, module.upTensor, module.upOffset, size.up);
      result.set(module.target.name, fromGpu(module, { down, up }));
    }
    return result;
  }

  /** Writes modules of a bank; the map must hold every module. */
  write(bank: Bank, weights: ReadonlyMap<string, ModuleWeights>): void {
    for (const module of this.#adapters.modules) {
      const given = weights.get(module.target.name);
      invariant(given !== undefined, `no weights for ${module.target.name}`);
      const { down, up } = toGpu(module, given);
      const downPlace = this.#place(module, module.downTensor, bank);
      const upPlace = this.#place(module, module.upTensor, bank);
      this.#gpu.write(downPlace.buffer, downPlace.offset + module.downOffset * 4, down);
      this.#gpu.write(upPlace.buffer, upPlace.offset + module.upOffset * 4, up);
    }
  }

  #place(module: AdapterModule, tensor: string, bank: Bank): { key: string; buffer: GPUBuffer; offset: number } {
    const slot = this.#residents.plan.slots.get(tensor);
    invariant(slot !== undefined, `${tensor} has no memory`);
    const name = typeof bank === "number" ? stateName(module.group, slot.chunk, bank) : `${bank}/${module.group}#${slot.chunk}`;
    const { buffer, offset } = this.#residents.locate(name);
    // Several state buffers may share one GPU buffer, so the key is the buffer's own.
    return { key: buffer.label, buffer, offset: offset + slot.offset };
  }
}
