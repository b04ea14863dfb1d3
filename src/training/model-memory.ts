/** Moves the weights of a model that is trained itself, and their optimizer state, between the CPU and the run's pools. */
import { elementCount } from "../gpu/graph/tensor.ts";
import { invariant } from "../errors.ts";
import { stateName } from "../gpu/optimizers/update-graph.ts";
import { fromGpu, toGpu } from "../lora/factors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Residents } from "../gpu/program/residents.ts";
import type { ModelTensor, TrainedModel } from "../lora/trained-model.ts";
import type { Bank } from "./adapter-memory.ts";

/** Elements that are moved at once: 16 MiB. */
const pieceElements = 2 ** 22;

export class ModelMemory {
  readonly #gpu: Gpu;
  readonly #residents: Residents;
  readonly #model: TrainedModel;

  constructor(gpu: Gpu, residents: Residents, model: TrainedModel) {
    this.#gpu = gpu;
    this.#residents = residents;
    this.#model = model;
  }

  get tensors(): readonly ModelTensor[] {
    return this.#model.tensors;
  }

  /** The values in PyTorch's order, some rows at a time. */
  async *read(tensor: ModelTensor, bank: Bank): AsyncGenerator<Float32Array<ArrayBuffer>> {
    for (const part of rowsOf(tensor)) {
      const { buffer, offset } = this.#place(tensor, bank);
      const copy = new Float32Array(await this.#gpu.read(buffer, offset + part.offset * 4, part.size * 4));
      yield fromGpu(part, copy);
    }
  }

  /** @param values of the whole tensor, in PyTorch's order, some at a time and however they are cut */
  async write(tensor: ModelTensor, bank: Bank, values: AsyncIterable<Float32Array<ArrayBuffer>>): Promise<void> {
    const { buffer, offset } = this.#place(tensor, bank);
    const parts = rowsOf(tensor)[Symbol.iterator]();
    let part = parts.next().value;
    let filled = 0;
    let target = new Float32Array(part === undefined ? 0 : elementCount(part.shape));
    for await (const piece of values) {
      for (let at = 0; at < piece.length; ) {
        invariant(part !== undefined, `more values than ${tensor.key} has`);
        const count = Math.min(piece.length - at, target.length - filled);
        target.set(piece.subarray(at, at + count), filled);
        at += count;
        filled += count;
        if (filled < target.length) continue;
        this.#gpu.write(buffer, offset + part.offset * 4, toGpu(part, target));
        part = parts.next().value;
        filled = 0;
        target = new Float32Array(part === undefined ? 0 : elementCount(part.shape));
      }
      await this.#gpu.idle();
    }
    invariant(part === undefined && filled === 0, `fewer values than ${tensor.key} has`);
  }

  #place({ param, side }: ModelTensor, bank: Bank): { buffer: GPUBuffer; offset: number } {
    const slot = this.#residents.plan.slots.get(param);
    invariant(slot !== undefined, `${param} has no memory`);
    // State mirrors the layout of the parameters' buffers.
    const name = typeof bank === "number" ? stateName(side, slot.chunk, bank) : `${bank}/${side}#${slot.chunk}`;
    const { buffer, offset } = this.#residents.locate(name);
    return { buffer, offset: offset + slot.offset };
  }
}

/** Some rows of a tensor that lie behind each other. */
function* rowsOf({ key, shape, strides, offset }: ModelTensor) {
  const [rows = 1, ...inside] = shape;
  const [step = 1] = strides;
  const count = Math.max(1, Math.floor(pieceElements / step));
  for (let row = 0; row < rows; row += count) {
    const own = Math.min(count, rows - row);
    yield { key, shape: [own, ...inside], strides, size: own * step, offset: offset + row * step, start: { kind: "zeros" } as const };
  }
}
