import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { readEmbedding } from "../../src/formats/embedding-file.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import { readZip } from "../../src/formats/torch-container.ts";
import { TorchTensor, type PyValue } from "../../src/formats/torch-values.ts";
import type { LoraModule, SavePrecision } from "../../src/lora/file.ts";
import { writeLoraPickle } from "../../src/lora/file.ts";
import { writeWordPickle } from "../../src/lora/word-file.ts";

interface Summary {
  /** Name → type, shape, strides and data (base64) in the file that `torch.save` makes. */
  readonly lora: Record<SavePrecision, Record<string, [string, number[], number[], string]>>;
  readonly word: { readonly [key: string]: unknown };
}

const { pickles } = JSON.parse(readFileSync(new URL("fixtures/saving.json", import.meta.url), "utf8")) as { pickles: Summary };
const sourceOf = (bytes: Uint8Array<ArrayBuffer>, name: string) => blobSource(new Blob([bytes]), name);
const ramp = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => i / 8 - 1.3);

const modules: LoraModule[] = [
  {
    name: "lora_unet_a", alpha: 0.5,
    factors: [{ key: "lora_down.weight", shape: [2, 3] }, { key: "lora_up.weight", shape: [4, 2] }],
    weights: { "lora_down.weight": ramp(6), "lora_up.weight": ramp(8) },
  },
  {
    name: "lora_unet_b", alpha: 2,
    factors: [{ key: "lora_down.weight", shape: [2, 3, 1, 1] }, { key: "lora_up.weight", shape: [4, 2, 1, 1] }],
    weights: { "lora_down.weight": ramp(6), "lora_up.weight": ramp(8) },
  },
];

describe("a LoRA of PyTorch's format", () => {
  test.each(["float", "fp16", "bf16"] as const)("holds what torch.save writes of it (%s)", async (savePrecision) => {
    const bytes = writeLoraPickle({ modules, savePrecision });
    const { value, offsets, foreign } = await readZip(sourceOf(bytes, "a.ckpt"));
    expect([...foreign]).toEqual([]);
    const found = [...(value as Map<string, PyValue>)].map(([name, tensor]) => {
      if (!(tensor instanceof TorchTensor)) throw new Error(`${name} is no tensor`);
      const { storage, shape, strides } = tensor;
      const at = offsets.get(storage.key)!;
      // Aligned as PyTorch aligns it, so that it can be mapped into memory.
      expect(at % 64).toBe(0);
      const data = Buffer.from(bytes.subarray(at, at + storage.byteLength)).toString("base64");
      return [name, [storage.dtype, shape, strides, data]];
    });
    expect(found).toEqual(Object.entries(pickles.lora[savePrecision]));
  });

  test("is opened by its content as any file of weights", async () => {
    const file = await openTensorFile(sourceOf(writeLoraPickle({ modules, savePrecision: "float" }), "a.pt"));
    expect(await file.readF32("lora_unet_b.lora_up.weight")).toEqual(ramp(8));
    expect(file.metadata.size).toBe(0);
  });
});

describe("an embedding of PyTorch's format", () => {
  const words = { width: 4, vectors: ramp(8) };
  const model = { name: "sd15.safetensors", hash: "81761151" };

  test("says what the webui's own embeddings say", async () => {
    const bytes = writeWordPickle(words, { name: "训练", step: 70_000, model }, "float");
    const { value } = await readZip(sourceOf(bytes, "w.pt"));
    expect(plain(value)).toEqual(pickles.word);
    const read = await readEmbedding(await openTensorFile(sourceOf(bytes, "w.pt")));
    expect(read).toEqual({ name: "w", vectors: words.vectors, count: 2, width: 4 });
  });

  test("leaves open which model it was made with where that is not known", async () => {
    const { value } = await readZip(sourceOf(writeWordPickle(words, { name: "w", step: 1 }, "fp16"), "w.pt"));
    expect(plain(value)).toMatchObject({ sd_checkpoint: null, sd_checkpoint_name: null });
  });
});

/** Containers as JSON has them; tensors by type and shape. */
function plain(value: PyValue): unknown {
  if (value instanceof TorchTensor) return [value.storage.dtype, value.shape, value.strides];
  return value instanceof Map ? Object.fromEntries([...value].map(([key, item]) => [String(key), plain(item)])) : value;
}
