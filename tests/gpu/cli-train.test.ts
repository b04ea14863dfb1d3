/** The program as a user runs it: training, stopping and continuing, on the adapter under test. */
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import { openSafetensors, type SafetensorsFile } from "../../src/formats/safetensors.ts";
import { decodeState } from "../../src/training/state-file.ts";
import { isSlowAdapter } from "./harness/adapter.ts";
import { readLora } from "../unit/read-lora.ts";
import { lorasmith, succeeding, type Finished, type RunOptions } from "../unit/run-bin.ts";

let root: string;
let model: string;
let data: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lorasmith-train-"));
  model = join(root, "mini.safetensors");
  data = join(root, "data");
  await succeeding(lorasmith(["make-checkpoint", "--arch", "mini-sd15", "--seed", "3", "--out", model]));
  await mkdir(join(data, "2_cat"), { recursive: true });
  const sizes = [[160, 80], [72, 144], [96, 96]] as const;
  for (const [i, [width, height]] of sizes.entries()) {
    const pixels = Buffer.alloc(width * height * 3).map((_, at) => (at * (3 + i) + (at >> 9) * 31) & 255);
    await sharp(pixels, { raw: { width, height, channels: 3 } }).png().toFile(join(data, "2_cat", `${i}.png`));
  }
});
afterAll(() => rm(root, { recursive: true }));

/** Three buckets, so three programs. */
const settings = [
  "resolution=128,64", "enable_bucket=true", "min_bucket_reso=64", "max_bucket_reso=128",
  "network_dim=4", "network_alpha=2", "learning_rate=1e-2", "seed=11", "optimizer_type=AdamW",
].flatMap((setting) => ["--set", setting]);

function train(out: string, more: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return lorasmith(["train", "--model", model, "--data", data, "--out", join(root, out), ...settings, ...more], options);
}

async function open(path: string): Promise<SafetensorsFile> {
  return openSafetensors(blobSource(new Blob([await readFile(join(root, path))]), path));
}

/** Bytes of all tensors by name: the file without its metadata, which tells of time and session. */
async function tensorBytes(path: string): Promise<Map<string, string>> {
  const file = await open(path);
  const raw = await readFile(join(root, path));
  const dataStart = 8 + Number(raw.readBigUInt64LE(0));
  const sorted = [...file.tensors.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  let at = 0;
  const places = [...file.tensors.values()].map((entry) => {
    const place = [entry.name, at] as const;
    at += entry.byteLength;
    return place;
  });
  expect(dataStart + at).toBe(raw.length);
  const start = new Map(places);
  return new Map(sorted.map(({ name, byteLength }) => {
    const from = dataStart + start.get(name)!;
    return [name, raw.subarray(from, from + byteLength).toString("base64")];
  }));
}

describe("train", () => {
  test("writes a LoRA that has learned, says what it does, and ends", async () => {
    const { stdout, stderr } = await succeeding(train("first", ["--set", "max_train_steps=3"]));
    expect(stdout).toMatch(/first\/last\.safetensors: 3 steps, /);
    expect(stderr).toMatch(/^GPU: .+/m);
    expect(stderr).toMatch(/^Buckets .*\(2\), .*\(2\), .*\(2\)/m);
    expect(stderr).toMatch(/^step 3\/3 {2}epoch 1\/1 {2}loss \d\.\d{4} {2}lr 1\.0e-2/m);
    // No state and no drafts are left behind.
    expect(await readdir(join(root, "first"))).toEqual(["last.safetensors"]);
    const file = await open("first/last.safetensors");
    const modules = await readLora(file);
    expect(modules.length).toBeGreaterThan(50);
    for (const { name, up, down, alpha, rank } of modules) {
      const isFinite = up.every(Number.isFinite) && down.every(Number.isFinite);
      expect({ name, alpha, rank, isFinite }).toEqual({ name, alpha: 2, rank: 4, isFinite: true });
    }
    // up starts at zero, so everything in it was learned.
    const learned = modules.filter(({ up }) => up.some((value) => value !== 0));
    expect(learned.length).toBe(modules.length);
    expect(file.metadata.get("ss_steps")).toBe("3");
    expect(file.metadata.get("ss_seed")).toBe("11");
    expect(JSON.parse(file.metadata.get("ss_dataset_dirs") ?? "")).toEqual({ "2_cat": { n_repeats: 2, img_count: 3 } });
  });

  test.skipIf(isSlowAdapter)("gives the same bytes for the same seed, and others for another", async () => {
    await succeeding(train("one", ["--set", "max_train_steps=3"]));
    await succeeding(train("again", ["--set", "max_train_steps=3"]));
    await succeeding(train("other", ["--set", "max_train_steps=3", "--set", "seed=12"]));
    const one = await tensorBytes("one/last.safetensors");
    expect(await tensorBytes("again/last.safetensors")).toEqual(one);
    expect(await tensorBytes("other/last.safetensors")).not.toEqual(one);
  });

  test.skipIf(isSlowAdapter)("Ctrl-C writes the LoRA so far and a state; continued from it, the run ends as the uninterrupted one", async () => {
    const steps = ["--set", "max_train_steps=5"];
    await succeeding(train("whole", steps));

    let isInterrupted = false;
    const stopped = await train("stopped", steps, {
      onStderr(text, interrupt) {
        if (isInterrupted || !text.includes("step 1/5")) return;
        isInterrupted = true;
        interrupt();
      },
    });
    expect(stopped.code).toBe(130);
    expect((await readdir(join(root, "stopped"))).toSorted()).toEqual(["last.safetensors", "last.state.safetensors"]);
    const done = Number((await open("stopped/last.safetensors")).metadata.get("ss_steps"));
    expect(done).toBeGreaterThanOrEqual(1);
    expect(done).toBeLessThan(5);

    const state = join(root, "stopped", "last.state.safetensors");
    // Without the settings: they come with the state.
    const resumed = await succeeding(lorasmith(["train", "--model", model, "--data", data, "--out", join(root, "resumed"), "--resume", state]));
    expect(resumed.stderr).toContain(`Continuing after step ${done}`);
    expect(await tensorBytes("resumed/last.safetensors")).toEqual(await tensorBytes("whole/last.safetensors"));
  });

  test.skipIf(isSlowAdapter)("writes the LoRA on the way, and training does not notice", async () => {
    const saving = ["save_every_n_steps=1", "save_last_n_steps=1"].flatMap((setting) => ["--set", setting]);
    await succeeding(train("saving", ["--set", "max_train_steps=3", ...saving]));
    await succeeding(train("two", ["--set", "max_train_steps=2"]));
    const names = ["last-step00000002.safetensors", "last-step00000003.safetensors", "last.safetensors"];
    expect((await readdir(join(root, "saving"))).toSorted()).toEqual(names);
    expect(await tensorBytes("saving/last-step00000002.safetensors")).toEqual(await tensorBytes("two/last.safetensors"));
    const end = await tensorBytes("first/last.safetensors");
    expect(await tensorBytes("saving/last-step00000003.safetensors")).toEqual(end);
    expect(await tensorBytes("saving/last.safetensors")).toEqual(end);
    const { metadata } = await open("saving/last-step00000002.safetensors");
    expect([metadata.get("ss_steps"), metadata.get("ss_epoch"), metadata.get("ss_output_name")]).toEqual(["2", "0", "last"]);
  });

  test.skipIf(isSlowAdapter)("--save-state keeps a state from which the run can be made longer", async () => {
    await succeeding(train("short", ["--set", "max_train_steps=1", "--save-state"]));
    const state = join(root, "short", "last.state.safetensors");
    await succeeding(train("longer", ["--resume", state, "--set", "max_train_steps=3"]));
    expect(await tensorBytes("longer/last.safetensors")).toEqual(await tensorBytes("first/last.safetensors"));
  });

  test.skipIf(isSlowAdapter)("save_state keeps states on the way, from which the run ends as the uninterrupted one", async () => {
    const saving = ["save_model_as=ckpt", "save_every_n_steps=1", "save_state=true", "save_last_n_steps_state=1"].flatMap((setting) => ["--set", setting]);
    const { stdout } = await succeeding(train("states", ["--set", "max_train_steps=3", ...saving]));
    expect(stdout).toMatch(/states\/last\.ckpt: 3 steps, /);
    const [one, two, three] = [1, 2, 3].map((step) => `last-step0000000${step}`);
    expect((await readdir(join(root, "states"))).toSorted()).toEqual([
      `${one}.ckpt`, `${two}.ckpt`, `${two}.state.safetensors`, `${three}.ckpt`, `${three}.state.safetensors`, "last.ckpt", "last.state.safetensors",
    ]);
    const pickle = await openTensorFile(blobSource(new Blob([await readFile(join(root, "states/last.ckpt"))]), "last.ckpt"));
    const straight = await open("first/last.safetensors");
    expect([...pickle.tensors.keys()].toSorted()).toEqual([...straight.tensors.keys()].toSorted());
    for (const name of straight.tensors.keys()) expect([name, await pickle.readF32(name)]).toEqual([name, await straight.readF32(name)]);
    const off = ["save_model_as=safetensors", "save_state=false", "save_every_n_steps=0"].flatMap((setting) => ["--set", setting]);
    await succeeding(train("from-two", ["--resume", join(root, "states", `${two}.state.safetensors`), ...off]));
    expect(await tensorBytes("from-two/last.safetensors")).toEqual(await tensorBytes("first/last.safetensors"));
  });

  test.skipIf(isSlowAdapter)("an invalid loss ends the run with its usual cause, and keeps the state before it", async () => {
    const { code, stderr } = await train("nan", ["--set", "max_train_steps=4", "--set", "learning_rate=10", "--set", "network_alpha=1000000"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^lorasmith: The loss became invalid .* learning rate that is too high/m);
    const failed = Number(/invalid .* at step (\d)/.exec(stderr)?.[1]);
    expect(stderr).toContain(`Kept the state after step ${failed - 1}`);
    expect(await readdir(join(root, "nan"))).toEqual(["last.state.safetensors"]);
    const state = await decodeState(new Uint8Array(await readFile(join(root, "nan", "last.state.safetensors"))));
    expect(state.update).toBe(failed - 1);
  });
});
