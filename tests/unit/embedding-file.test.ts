import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { readEmbedding, type EmbeddingVectors } from "../../src/formats/embedding-file.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import { encodeSafetensors, type TensorSpec } from "../../src/formats/safetensors-writer.ts";

const folder = new URL("fixtures/torch/", import.meta.url);
const expected = JSON.parse(readFileSync(new URL("embeddings.json", folder), "utf8")) as Record<string, number[][]>;

async function read(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<EmbeddingVectors> {
  return readEmbedding(await openTensorFile(blobSource(new Blob([bytes]), name)));
}

function floats(name: string, shape: readonly number[], values: readonly number[]): TensorSpec & { data: Uint8Array } {
  return { name, dtype: "F32", shape, data: new Uint8Array(Float32Array.from(values).buffer) };
}

test.each(Object.entries(expected))("%s gives PyTorch's vectors under its file name", async (name, vectors) => {
  const found = await read(new Uint8Array(readFileSync(new URL(name, folder))), name);
  expect(found).toEqual({
    name: name.replace(/\.\w+$/, ""),
    vectors: Float32Array.from(vectors.flat()),
    count: vectors.length,
    width: 8,
  });
});

test("safetensors embeddings are read by the webui's names, or as the only tensor there is", async () => {
  const two = [1, 2, 3, 4, 5, 6];
  const named = encodeSafetensors([floats("emb_params", [2, 3], two), floats("other", [1], [9])]);
  expect(await read(named, "cat.v1.safetensors")).toEqual({ name: "cat.v1", vectors: Float32Array.from(two), count: 2, width: 3 });
  const pair = encodeSafetensors([floats("clip_g", [1, 5], [9, 9, 9, 9, 9]), floats("clip_l", [2, 3], two)]);
  expect(await read(pair, "xl.safetensors")).toMatchObject({ count: 2, width: 3 });
  const single = encodeSafetensors([floats("<cat-toy>", [3], [1, 2, 3])]);
  expect(await read(single, "toy.safetensors")).toEqual({ name: "toy", vectors: Float32Array.of(1, 2, 3), count: 1, width: 3 });
});

test.each([
  ["two tensors of other names", [floats("a", [1, 2], [1, 2]), floats("b", [1, 2], [1, 2])], "embedding.notAnEmbedding"],
  ["a convolution", [floats("a", [1, 2, 1, 1], [1, 2])], "embedding.notAnEmbedding"],
  ["a number", [floats("a", [], [1])], "embedding.notAnEmbedding"],
  ["a whole token table", [floats("a", [2000, 1], Array.from({ length: 2000 }, () => 0))], "embedding.notAnEmbedding"],
  ["whole numbers", [{ name: "a", dtype: "I32" as const, shape: [1, 2], data: new Uint8Array(8) }], "embedding.notAnEmbedding"],
  ["no vectors", [floats("emb_params", [0, 768], [])], "embedding.corrupt"],
  ["values that are no numbers", [floats("emb_params", [1, 2], [1, Number.NaN])], "embedding.corrupt"],
])("a file with %s is refused", async (_, tensors, code) => {
  await expect(read(encodeSafetensors(tensors), "x.safetensors")).rejects.toMatchObject({ code });
});
