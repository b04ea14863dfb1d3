/** Mini checkpoints for prompts: their token tables are repeated up to CLIP's vocabulary. */
import { blobSource } from "../../../src/formats/byte-source.ts";
import { encodeSafetensors, type TensorSpec } from "../../../src/formats/safetensors-writer.ts";
import { openSafetensors, type SafetensorsFile } from "../../../src/formats/safetensors.ts";
import type { TensorFile } from "../../../src/formats/tensor-file.ts";
import { openCheckpoint } from "../../../src/models/config.ts";
import { tokenTableKey } from "../../../src/models/text-encoder.ts";
import { openMini } from "./reference-data.ts";
import type { Checkpoint } from "../../../src/models/checkpoint-types.ts";

const vocabulary = 49408;

export interface TestTensor extends TensorSpec {
  readonly data: Uint8Array<ArrayBuffer>;
}

export async function fileOf(name: string, tensors: readonly TestTensor[]): Promise<SafetensorsFile> {
  return openSafetensors(blobSource(new Blob([encodeSafetensors(tensors)]), name));
}

export async function tensorsOf(file: TensorFile): Promise<TestTensor[]> {
  return Promise.all(
    [...file.tensors.values()].map(async ({ name, dtype, shape }) => ({ name, dtype, shape, data: await file.read(name) })),
  );
}

export function floatTensor(name: string, shape: readonly number[], values: ArrayLike<number>): TestTensor {
  return { name, dtype: "F32", shape, data: new Uint8Array(Float32Array.from(values).buffer) };
}

/** Token i has the row of token i modulo the mini's vocabulary, as in tests/reference/make_generation.py. */
export async function openWideMini(family: "sd1" | "sd2"): Promise<Checkpoint> {
  const mini = await openMini(family);
  const table = mini.keys.get(tokenTableKey(mini.textEncoder));
  const widened = (await tensorsOf(mini.file)).map((tensor): TestTensor => {
    if (tensor.name !== table) return tensor;
    const data = new Uint8Array((tensor.data.length / tensor.shape[0]!) * vocabulary);
    for (let at = 0; at < data.length; at += tensor.data.length) {
      data.set(tensor.data.subarray(0, Math.min(tensor.data.length, data.length - at)), at);
    }
    return { ...tensor, shape: [vocabulary, tensor.shape[1]!], data };
  });
  return openCheckpoint(await fileOf(`mini-${family}-wide.safetensors`, widened));
}
