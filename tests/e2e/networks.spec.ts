/** A run that starts from LoRA files: picked or dropped, checked before the start, remembered over a reload, trained. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "playwright/test";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { loraTargets } from "../../src/models/names.ts";
import { networkBytes } from "../unit/network-files.ts";
import { pick, set } from "./page-actions.ts";
import { makeTrainingData, type TrainingData } from "./training-data.ts";

let data: TrainingData;
test.beforeAll(async () => {
  data = await makeTrainingData();
  const checkpoint = await openCheckpoint(await openTensorFile(blobSource(new Blob([readFileSync(data.model)]), "model.safetensors")));
  const targets = loraTargets(checkpoint).filter(({ part }) => part === "unet");
  const values = (count: number): number[] => Array.from({ length: count }, (_, i) => Math.sin(i) / 50);
  for (const [name, rankOf] of [["ranks", (i: number) => 1 + (i % 3)], ["start", () => 2]] as const) {
    const tensors = targets.flatMap(({ name: module, in: width, out }, i) => [
      { name: `${module}.lora_down.weight`, shape: [rankOf(i), width], values: values(rankOf(i) * width) },
      { name: `${module}.lora_up.weight`, shape: [out, rankOf(i)], values: values(out * rankOf(i)) },
    ]);
    writeFileSync(network(name), networkBytes(tensors));
  }
});
const network = (name: string): string => join(data.folder, `${name}.safetensors`);

test("goes on from a LoRA with the file's ranks, on a base with another merged in", async ({ page }, info) => {
  await page.goto("/#/train");
  await pick(page, data.model, data.dataset);
  await expect(page.getByText("Stable Diffusion 1.x", { exact: true })).toBeVisible();
  await page.getByText("All", { exact: true }).first().click();
  await set(page, "resolution", "64,64");
  await set(page, "enable_bucket", "false");
  await set(page, "max_train_epochs", "1");
  await set(page, "sample_prompts", "");
  await set(page, "output_name", "second");
  const start = page.getByRole("button", { name: "Start training" }).first();
  await expect(start).toBeEnabled();

  const pickNetwork = page.locator('input[aria-label="Choose a LoRA"]');
  await pickNetwork.setInputFiles(data.model);
  await expect(page.getByText("is not an adapter")).toBeVisible();
  await pickNetwork.setInputFiles(network("ranks"));
  await expect(page.locator("#set-network_weights")).toHaveValue("ranks.safetensors");
  await expect(page.getByText("is not an adapter")).toHaveCount(0);
  await expect(page.getByText(/has rank \d in ranks\.safetensors, and the settings make it 16/).first(), "known before the start").toBeVisible();
  await expect(start).toBeDisabled();
  await set(page, "dim_from_weights", "true");
  await expect(start).toBeEnabled();

  await page.locator('input[aria-label="Add LoRAs"]').setInputFiles([network("start")]);
  const strength = page.getByRole("textbox", { name: "Strength of start.safetensors" });
  await strength.fill("much");
  await strength.blur();
  await expect(start, "no number").toBeDisabled();
  await strength.fill("0.5");
  await strength.blur();
  await expect(start).toBeEnabled();

  await page.reload();
  await expect(strength).toHaveValue("0.5");
  await expect(page.locator("#set-network_weights")).toHaveValue("ranks.safetensors");
  await expect(page.getByText("is not here: choose it")).toHaveCount(0);
  if (await page.getByText("Stable Diffusion 1.x", { exact: true }).isHidden()) await pick(page, data.model);
  await expect(start).toBeEnabled();
  await page.screenshot({ path: info.outputPath("setup.png"), fullPage: true });
  await start.click();
  await expect(page.getByRole("button", { name: "Download second.safetensors" }).first()).toBeVisible({ timeout: 200_000 });
  await page.screenshot({ path: info.outputPath("finished.png"), fullPage: true });
  await expect(page.getByText("start.safetensors is merged into the model with 0.5", { exact: false }).first()).toBeAttached();
  await expect(page.getByText("layers start from ranks.safetensors", { exact: false }).first()).toBeAttached();
});
