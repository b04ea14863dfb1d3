/** `lorasmith replay` against PyTorch's trajectory. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { isSlowAdapter } from "./harness/adapter.ts";
import { readLora } from "../unit/read-lora.ts";
import { dataFile, lorasmith, succeeding } from "../unit/run-bin.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lorasmith-replay-"));
});
afterAll(() => rm(root, { recursive: true }));

interface Expected {
  readonly losses: readonly number[];
  readonly grad_norms: readonly number[];
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, "utf8")) as T;
}

test.skipIf(isSlowAdapter)("writes losses, gradient norms and the adapter that PyTorch gets", async () => {
  const name = "sd1-adamw-both-b1-accumulate-minsnr";
  const out = join(root, name);
  const argv = [dataFile(`replay/${name}.trace.safetensors`), "--model", dataFile("mini-sd1.safetensors"), "--out", out];
  await succeeding(lorasmith(["replay", ...argv]));
  expect((await readdir(out)).toSorted()).toEqual(["adapter.safetensors", "grad_norms.json", "losses.json"]);

  const expected = await readJson<Expected>(dataFile(`replay/${name}.expected.json`));
  const losses = await readJson<number[]>(join(out, "losses.json"));
  const norms = await readJson<number[]>(join(out, "grad_norms.json"));
  expect(losses.length).toBe(expected.losses.length);
  expect(norms.length).toBe(expected.grad_norms.length);
  losses.forEach((loss, i) => expect(loss / expected.losses[i]!).toBeCloseTo(1, 4));
  norms.forEach((norm, i) => expect(norm / expected.grad_norms[i]!).toBeCloseTo(1, 3));

  const bytes = new Blob([new Uint8Array(await readFile(join(out, "adapter.safetensors")))]);
  const file = await openSafetensors(blobSource(bytes, "adapter"));
  const reference = await openSafetensors(
    blobSource(new Blob([new Uint8Array(await readFile(dataFile(`replay/${name}.expected.safetensors`)))]), "expected"),
  );
  expect([...file.tensors.keys()].toSorted()).toEqual([...reference.tensors.keys()].map(withoutPrefix).toSorted());
  for (const { name: module, up, alpha } of await readLora(file)) {
    const theirs = await reference.readF32([...reference.tensors.keys()].find((key) => key.endsWith(`${module}.lora_up.weight`))!);
    expect({ module, alpha, isSame: cosine(up, theirs) > 0.9999 }).toEqual({ module, alpha: 1, isSame: true });
  }
});

test.skipIf(isSlowAdapter)("--set wins over the trace's settings", async () => {
  const name = "sd1-adamw-text-b1";
  const run = async (folder: string, ...more: string[]): Promise<number[]> => {
    const out = join(root, folder);
    const argv = [dataFile(`replay/${name}.trace.safetensors`), "--model", dataFile("mini-sd1.safetensors"), "--out", out];
    await succeeding(lorasmith(["replay", ...argv, ...more]));
    return readJson<number[]>(join(out, "losses.json"));
  };
  const plain = await run("plain");
  const frozen = await run("frozen", "--set", "text_encoder_lr=1e-12", "--set", "learning_rate=1e-12");
  expect(frozen[0]).toBe(plain[0]);
  expect(frozen.at(-1)).not.toBe(plain.at(-1));
});

function withoutPrefix(key: string): string {
  return key.replace(/^adapter\./, "");
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
