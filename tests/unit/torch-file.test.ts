import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { elementCount } from "../../src/formats/dtypes.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import type { TensorFile } from "../../src/formats/tensor-file.ts";
import { TorchFile } from "../../src/formats/torch-file.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { detectFileKind } from "../../src/models/file-kind.ts";
import { latin, pickle, torchFile, zipFile, type Code } from "./harness/torch-writer.ts";

interface Expected {
  dtype?: string;
  shape: number[];
  values: number[];
}

const folder = new URL("fixtures/torch/", import.meta.url);
const fixture = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(new URL(name, folder)));
const json = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), "utf8"));
const open = (bytes: Uint8Array<ArrayBuffer>, name = "test.ckpt"): Promise<TensorFile> =>
  openTensorFile(blobSource(new Blob([bytes]), name));

const typeNames: Readonly<Record<string, string>> = {
  float16: "F16", float32: "F32", float64: "F64", bfloat16: "BF16", int64: "I64", bool: "BOOL", uint8: "U8",
};

async function valuesOf(file: TensorFile, name: string): Promise<number[]> {
  const { dtype } = file.entry(name);
  if (dtype.startsWith("F8")) return [...(await file.read(name))];
  if (dtype === "F64") return [...new Float64Array((await file.read(name)).buffer)];
  return [...(/^B?F/.test(dtype) ? await file.readF32(name) : await file.readInts(name))];
}

describe("reading PyTorch files", () => {
  const { ckpt } = json("expected.json") as { ckpt: Record<string, Expected> };

  test.each(["ckpt-zip.ckpt", "ckpt-legacy.ckpt", "bare-zip.pt"])("%s has PyTorch's names, types, shapes and values", async (name) => {
    const file = await open(fixture(name));
    const found = [...file.tensors.values()].map((entry) => [entry.name, entry.dtype, entry.shape]);
    expect(found).toEqual(Object.entries(ckpt).map(([key, { dtype, shape }]) => [key, typeNames[dtype!], shape]));
    for (const [key, { values }] of Object.entries(ckpt)) {
      expect([key, await valuesOf(file, key)]).toEqual([key, values]);
    }
  });

  test.each(["modern.pt", "modern-legacy.pt"])("%s: every order of elements, newer types and protocol 4 are read", async (name) => {
    const expected = json("modern.json") as Record<string, Expected>;
    const file = await open(fixture(name));
    expect([...file.tensors.keys()]).toEqual(Object.keys(expected));
    for (const [key, { shape, values }] of Object.entries(expected)) {
      expect([key, file.entry(key).shape, await valuesOf(file, key)]).toEqual([key, shape, values]);
    }
    expect(file.entry("fp8").dtype).toBe("F8_E4M3");
    expect(file.metadata).toEqual(new Map([["epoch", "12"], ["note", "训练"]]));
  });

  test("pieces of a tensor that lies out of order join to the whole, whatever their length", async () => {
    const file = await open(fixture("modern.pt"));
    for (const key of ["conv.weight", "permuted", "middle", "half.transposed", "expanded"]) {
      const whole = [...(await file.readF16(key))];
      for (const length of [1, 2, 3, 5, 7, whole.length]) {
        const pieces: number[] = [];
        for await (const { start, data } of file.readF16Chunks(key, length)) {
          expect(start).toBe(pieces.length);
          pieces.push(...data);
        }
        expect([key, length, pieces]).toEqual([key, length, whole]);
      }
    }
  });

  test("what Python would have made besides tensors is named and ignored", async () => {
    const file = await open(fixture("ckpt-zip.ckpt"));
    expect((file as TorchFile).foreign).toEqual(["_codecs.encode", "numpy._core.multiarray.scalar", "numpy.dtype"]);
  });

  test("a VAE inside a state_dict is found", async () => {
    const file = await open(fixture("vae-nested.vae.pt"));
    expect([...file.tensors.keys()].every((name) => !name.startsWith("state_dict"))).toBe(true);
    expect(file.tensors.size).toBeGreaterThan(1);
  });

  test("only the asked tensor's bytes are read", async () => {
    const bytes = fixture("ckpt-zip.ckpt");
    const reads: number[] = [];
    const { read, ...rest } = blobSource(new Blob([bytes]), "counted.ckpt");
    const file = await openTensorFile({
      ...rest,
      read(offset, length) {
        reads.push(length);
        return read(offset, length);
      },
    });
    reads.length = 0;
    await file.readF32("view.slice");
    expect(reads).toEqual([24]);
  });

  test("the format is told by content, not by name", async () => {
    const wrong = await open(fixture("ckpt-zip.ckpt"), "model.safetensors");
    expect(wrong).toBeInstanceOf(TorchFile);
    const mini = new Uint8Array(readFileSync(new URL("../reference/data/mini-sd1.safetensors", import.meta.url)));
    expect(await open(mini, "model.ckpt")).not.toBeInstanceOf(TorchFile);
    await expect(open(Uint8Array.from(latin("<!doctype html><title>Not found</title>")))).rejects.toMatchObject({
      code: "safetensors.headerTooLarge",
    });
  });

  test("a checkpoint as .ckpt gives the same configuration and weights as its safetensors file", async () => {
    const bytes = new Uint8Array(readFileSync(new URL("../reference/data/mini-sd1.safetensors", import.meta.url)));
    const source = await open(bytes, "mini.safetensors");
    const weights: [Code, Code][] = [];
    const storages: Record<string, Uint8Array> = {};
    for (const { name, dtype, shape } of source.tensors.values()) {
      const key = String(weights.length);
      const type = { F16: "HalfStorage", F32: "FloatStorage", BF16: "BFloat16Storage", I64: "LongStorage" }[dtype as "F16"];
      const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
      const storage = pickle.storage(pickle.global("torch", type), key, elementCount(shape));
      weights.push([pickle.text(name), pickle.tensor(storage, 0, shape, strides)]);
      storages[key] = await source.read(name);
    }
    const ckpt = await open(torchFile(pickle.dict([pickle.text("state_dict"), pickle.dict(...weights)]), storages), "mini.ckpt");
    const { file: _, ...expected } = await openCheckpoint(source);
    const { file, ...found } = await openCheckpoint(ckpt);
    expect(found).toEqual(expected);
    const differing: string[] = [];
    for (const name of source.tensors.keys()) {
      if (Buffer.compare(await file.read(name), await source.read(name)) !== 0) differing.push(name);
    }
    expect(differing).toEqual([]);
  });
});

test("a hypernetwork is recognized by its numbered layers", async () => {
  const tensor = pickle.tensor(pickle.storage(pickle.global("torch", "FloatStorage"), "0", 4), 0, [2, 2], [2, 1]);
  const layer = pickle.dict([pickle.text("linear.0.weight"), tensor]);
  const file = await open(torchFile(pickle.dict([pickle.integer(768), pickle.tuple(layer, layer)]), { 0: new Uint8Array(16) }));
  const shapes = new Map([...file.tensors.values()].map(({ name, shape }) => [name, shape]));
  expect([...shapes.keys()]).toEqual(["768.0.linear.0.weight", "768.1.linear.0.weight"]);
  expect(detectFileKind(shapes)).toBe("hypernetwork");
});

test("a zip file that PyTorch did not write is refused", async () => {
  await expect(open(zipFile({ "pictures/1.txt": new Uint8Array(3) }))).rejects.toMatchObject({ code: "torch.noTensors" });
});
