/** How an adapter starts: a LoRA's down uniform, its up zero, as sd-scripts; LyCORIS modules as lora/lycoris-factors.ts says. */
import { invariant } from "../errors.ts";
import { elementCount } from "../gpu/graph/tensor.ts";
import { floatsFromHalves } from "../formats/half.ts";
import { gaussian, uniform } from "../random/rng.ts";
import type { AdapterSet, AdapterTarget } from "../lora/adapter-set.ts";
import type { Factor, ModuleWeights } from "../lora/factors.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

/** Norms of the base weights' rows or input channels by module, where DoRA starts from them; as the model holds its weights, in f16. */
export type BaseNorms = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

const chunkElements = 2 ** 20;

export async function baseNorms(checkpoint: Checkpoint, adapters: AdapterSet): Promise<BaseNorms> {
  const norms = new Map<string, Float32Array<ArrayBuffer>>();
  for (const target of adapters.targets) {
    for (const { start } of target.factors) {
      if (start.kind === "norms") norms.set(target.name, await normsOf(checkpoint, target, start.of));
    }
  }
  return norms;
}

async function normsOf(
  { file, keys }: Checkpoint, { weight, out, in: channels, kernel }: AdapterTarget, axis: "out" | "in",
): Promise<Float32Array<ArrayBuffer>> {
  const key = keys.get(weight.key);
  invariant(key !== undefined, `${file.source.name} has no ${weight.key}`);
  const taps = kernel ** 2;
  const width = channels * taps;
  const squares = new Float64Array(axis === "out" ? out : channels);
  const first = weight.rowStart * width;
  for await (const { start, data } of file.readF16Chunks(key, chunkElements)) {
    const floats = floatsFromHalves(data);
    for (let i = Math.max(0, first - start); i < Math.min(floats.length, first + out * width - start); i++) {
      const place = start + i - first;
      const line = axis === "out" ? Math.floor(place / width) : Math.floor((place % width) / taps);
      squares[line] = squares[line]! + floats[i]! ** 2;
    }
  }
  return Float32Array.from(squares, Math.sqrt);
}

/**
 * Initial factors of every module by kohya name; they depend on the seed and the module's place in the list only.
 * @param norms what DoRA starts from; others need none
 */
export function initialAdapter(adapters: AdapterSet, seed: number, norms: BaseNorms = new Map()): Map<string, ModuleWeights> {
  return new Map(
    adapters.targets.map((target, index) => {
      const entries = target.factors.map((factor, place): [string, Float32Array<ArrayBuffer>] => {
        // Each factor has a stream of its own; the first has the module's number alone.
        const values = startOf(factor, seed, index + place * 2 ** 32, norms.get(target.name));
        return [factor.key, values];
      });
      return [target.name, Object.fromEntries(entries)];
    }),
  );
}

function startOf({ shape, start }: Factor, seed: number, stream: number, norms: Float32Array<ArrayBuffer> | undefined): Float32Array<ArrayBuffer> {
  const count = elementCount(shape);
  switch (start.kind) {
    case "zeros":
      return new Float32Array(count);
    case "uniform":
      return uniform(seed, "loraInit", stream, count).map((value) => (2 * value - 1) * start.bound);
    case "normal":
      return gaussian(seed, "loraInit", stream, count).map((value) => value * start.deviation);
    case "norms":
      invariant(norms?.length === count, "the norms of the base weight are known");
      return norms.slice();
    default:
      return start satisfies never;
  }
}
