/**
 * The whole job in a real browser: pick a checkpoint, drop a folder, train, pause, reload, resume, download. The file
 * must be the headless run's, tensor by tensor.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, type Page } from "playwright/test";
import { dropFolder, set } from "./page-actions.ts";
import { bin, makeTrainingData, type TrainingData } from "./training-data.ts";

const swiftshader = process.env["LORASMITH_SWIFTSHADER_ICD"] ?? "/usr/lib/chromium/vk_swiftshader_icd.json";

let data: TrainingData;
test.beforeAll(async () => {
  data = await makeTrainingData();
});

/** The stored run's record, as the page keeps it. */
async function storedRun(page: Page): Promise<{ config: Record<string, unknown>; state: string; step: number }> {
  return page.evaluate(async () => {
    const [info] = await indexedDB.databases();
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(info?.name ?? "");
      request.addEventListener("success", () => resolve(request.result));
      request.addEventListener("error", () => reject(new Error("cannot open")));
    });
    const runs = await new Promise<{ config: Record<string, unknown>; state: string; step: number }[]>((resolve, reject) => {
      const request = database.transaction("runs").objectStore("runs").getAll();
      request.addEventListener("success", () => resolve(request.result as { config: Record<string, unknown>; state: string; step: number }[]));
      request.addEventListener("error", () => reject(new Error("cannot read")));
    });
    database.close();
    const run = runs.at(-1);
    if (run === undefined) throw new Error("no run is stored");
    return { config: run.config, state: run.state, step: run.step };
  });
}

test("trains, pauses, survives reloads while paused and in mid-run, and gives the headless run's file", async ({ page }, info) => {
  await page.goto("/#/train");
  await page.locator('input[type=file][accept=".safetensors,.ckpt"]').first().setInputFiles(data.model);
  await expect(page.getByText("Stable Diffusion 1.x", { exact: true })).toBeVisible();
  await dropFolder(page, "text=/drop pictures and captions here/i", data.dataset);
  await expect(page.getByText("set/2_sls 1girl").first()).toBeVisible();

  await page.getByText("All", { exact: true }).first().click();
  await set(page, "resolution", "128,128");
  // Samples would take a software adapter longer than the training.
  await set(page, "sample_prompts", "");
  await set(page, "min_bucket_reso", "64");
  await set(page, "max_train_epochs", "2");
  await set(page, "network_dim", "4");
  await set(page, "learning_rate", "1e-3");
  await set(page, "seed", "11");
  await set(page, "save_precision", "float");
  // 3 pictures x 2 repeats in buckets of their own, 2 epochs.
  await expect(page.locator("aside")).toContainText("12");
  await page.screenshot({ path: info.outputPath("setup.png"), fullPage: true });
  await page.getByRole("button", { name: "Start training" }).first().click();

  await expect(page.getByRole("button", { name: "Pause" })).toBeVisible();
  await expect.poll(async () => (await storedRun(page)).step, { timeout: 300_000 }).toBeGreaterThan(0);
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByRole("button", { name: "Resume" })).toBeVisible({ timeout: 120_000 });
  const paused = await storedRun(page);
  expect(paused.step).toBeGreaterThan(0);
  expect(paused.step).toBeLessThan(12);
  await page.screenshot({ path: info.outputPath("paused.png"), fullPage: true });

  await page.reload();
  await expect(page.getByRole("button", { name: "Resume" })).toBeVisible({ timeout: 60_000 });
  await page.getByRole("button", { name: "Resume" }).click();
  await expect.poll(async () => (await storedRun(page)).step, { timeout: 300_000 }).toBeGreaterThan(paused.step);

  // A tab that dies in mid-run: nothing is asked, the run goes on from its last checkpoint.
  await page.reload();
  const downloadButton = page.getByRole("button", { name: /^Download/ });
  await expect(downloadButton).toBeVisible({ timeout: 400_000 });
  await page.screenshot({ path: info.outputPath("finished.png"), fullPage: true });
  const [download] = await Promise.all([page.waitForEvent("download"), downloadButton.click()]);
  const fromPage = readTensors(readFileSync(await download.path()));

  const { config } = await storedRun(page);
  const settings = join(data.folder, "settings.json");
  writeFileSync(settings, JSON.stringify({ ...config, output_dir: "", train_data_dir: "", pretrained_model_name_or_path: "" }));
  const out = join(data.folder, "out");
  const args = ["train", "--model", data.model, "--data", data.dataset, "--config", settings, "--out", out];
  execFileSync(process.execPath, [bin, ...args], { env: { ...process.env, VK_ICD_FILENAMES: swiftshader }, stdio: "pipe" });
  const headless = readTensors(readFileSync(join(out, `${String(config["output_name"])}.safetensors`)));

  expect([...fromPage.keys()].sort()).toEqual([...headless.keys()].sort());
  expect(fromPage.size).toBeGreaterThan(100);
  let largest = 0;
  for (const [name, values] of headless) {
    const other = fromPage.get(name) ?? new Float32Array();
    expect(other.length, name).toBe(values.length);
    expect(other.every(Number.isFinite), name).toBe(true);
    for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs((values[i] ?? NaN) - (other[i] ?? NaN)));
  }
  expect(largest).toBeLessThanOrEqual(1e-5);
  expect([...headless].some(([name, values]) => name.endsWith("lora_up.weight") && values.some((v) => v !== 0))).toBe(true);
});

/** Independent of the project's own reader: header, then f32 slices. */
function readTensors(file: Buffer): Map<string, Float32Array> {
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, 8 + headerLength).toString("utf8")) as Record<string, { dtype: string; data_offsets: [number, number] }>;
  const tensors = new Map<string, Float32Array>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    expect(entry.dtype, name).toBe("F32");
    const [start, end] = entry.data_offsets;
    const copy = Uint8Array.from(file.subarray(8 + headerLength + start, 8 + headerLength + end));
    tensors.set(name, new Float32Array(copy.buffer));
  }
  return tensors;
}
