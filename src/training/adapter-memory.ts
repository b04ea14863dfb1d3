/**
 * Moves adapter weights and their optimizer state between kohya modules on the CPU and the padded, stacked pools on
 * the GPU. State buffers mirror the layout of the parameter buffers.
 */
import { invariant } from "../errors.ts";
import { stateName } from "../gpu/optimizers/update-graph.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Residents } from "../gpu/program/residents.ts";
import { fromGpu, toGpu, type ModuleWeights } from "../lora/factors.ts";
import type { AdapterSet, PlacedFactor } from "../lora/adapter-set.ts";

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
    const part = async (factor: PlacedFactor): Promise<Float32Array<ArrayBuffer>> => {
      const place = this.#place(factor, bank);
      let copy = copies.get(place.key);
      if (copy === undefined) {
        copy = new Float32Array(await this.#gpu.read(place.buffer, 0, place.buffer.size));
        copies.set(place.key, copy);
      }
      const start = place.offset / 4 + factor.offset;
      return fromGpu(factor, copy.subarray(start, start + factor.size));
    };
    const result = new Map<string, ModuleWeights>();
    for (const module of this.#adapters.modules) {
      const weights: Record<string, Float32Array<ArrayBuffer>> = {};
      for (const factor of module.factors) weights[factor.key] = await part(factor);
      result.set(module.target.name, weights);
    }
    return result;
  }

  /** Writes modules of a bank; the map must hold every module. */
  write(bank: Bank, weights: ReadonlyMap<string, ModuleWeights>): void {
    for (const module of this.#adapters.modules) {
      for (const factor of module.factors) {
        const given = weights.get(module.target.name)?.[factor.key];
        invariant(given !== undefined, `no weights for ${module.target.name}.${factor.key}`);
        const { buffer, offset } = this.#place(factor, bank);
        this.#gpu.write(buffer, offset + factor.offset * 4, toGpu(factor, given));
      }
    }
  }

  #place({ param: tensor, group }: PlacedFactor, bank: Bank): { key: string; buffer: GPUBuffer; offset: number } {
    const slot = this.#residents.plan.slots.get(tensor);
    invariant(slot !== undefined, `${tensor} has no memory`);
    const name = typeof bank === "number" ? stateName(group, slot.chunk, bank) : `${bank}/${group}#${slot.chunk}`;
    const { buffer, offset } = this.#residents.locate(name);
    // Several state buffers may share one GPU buffer, so the key is the buffer's own.
    return { key: buffer.label, buffer, offset: offset + slot.offset };
  }
}
