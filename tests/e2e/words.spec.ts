/** A textual inversion on the page: the settings of that kind alone, a short run, and its word on the Test screen. */
import { readFileSync } from "node:fs";
import { expect, test } from "playwright/test";
import { pick, set } from "./page-actions.ts";
import { makeTrainingData, type TrainingData } from "./training-data.ts";

let data: TrainingData;
test.beforeAll(async () => {
  data = await makeTrainingData();
});

test("asks for a word instead of a network, trains it, and draws with it under its file's name", async ({ page }, info) => {
  await page.goto("/#/train");
  await pick(page, data.model, data.dataset);
  await expect(page.getByText("Stable Diffusion 1.x", { exact: true })).toBeVisible();
  await expect(page.locator("#set-network_dim")).toBeVisible();
  await expect(page.locator("#set-token_string")).toHaveCount(0);
  await set(page, "training_kind", "textual_inversion");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Train an embedding");
  await expect(page.locator("#set-network_dim")).toHaveCount(0);
  await expect(page.locator("#set-unet_lr")).toHaveCount(0);
  const start = page.getByRole("button", { name: "Start training" }).first();
  await expect(start, "a word is missing").toBeDisabled();

  await set(page, "token_string", "sty_1");
  await set(page, "num_vectors_per_token", "2");
  await set(page, "use_style_template", "true");
  await set(page, "sample_prompts", "");
  await set(page, "output_name", "inkstyle");
  await page.getByText("All", { exact: true }).first().click();
  await set(page, "resolution", "64,64");
  await set(page, "enable_bucket", "false");
  await set(page, "max_train_epochs", "1");
  await set(page, "save_every_n_steps", "1");
  await expect(page.locator("aside")).toContainText("inkstyle.safetensors");
  await page.screenshot({ path: info.outputPath("setup.png"), fullPage: true });
  await start.click();

  const downloadButton = page.getByRole("button", { name: "Download inkstyle.safetensors" }).first();
  await expect(downloadButton).toBeVisible({ timeout: 200_000 });
  await expect(page.getByText("put the file into embeddings")).toContainText("inkstyle");
  await page.screenshot({ path: info.outputPath("finished.png"), fullPage: true });
  const [download] = await Promise.all([page.waitForEvent("download"), downloadButton.click()]);
  const file = readFileSync(await download.path());
  expect(file.toString("latin1")).toContain('"emb_params":{"dtype":"F16","shape":[2,64]');

  await page.getByRole("button", { name: "Try it out" }).click();
  await expect(page.getByText("inkstyle, 2 vectors")).toBeVisible();
  await expect(page.locator("textarea").first()).toHaveValue(/inkstyle/);
  await page.locator("select.runs").selectOption({ label: "inkstyle-step00000001" });
  await expect(page.getByText("inkstyle-step00000001, 2 vectors"), "what was saved on the way, beside the result").toBeVisible();
  await expect(page.getByText("inkstyle, 2 vectors")).toBeVisible();
  await page.screenshot({ path: info.outputPath("test.png"), fullPage: true });

  // On from that file, which brings its number of vectors along.
  await page.goto("/#/train");
  await page.getByRole("button", { name: "Set up another run" }).click();
  await set(page, "num_vectors_per_token", "5");
  await set(page, "weights", "gone.pt");
  await expect(page.getByText("gone.pt is not here")).toBeVisible();
  await page.locator('input[aria-label="Choose an embedding"]').setInputFiles({ name: "inkstyle.safetensors", mimeType: "application/octet-stream", buffer: file });
  await expect(page.locator("#set-weights")).toHaveValue("inkstyle.safetensors");
  await expect(page.locator("#set-num_vectors_per_token")).toHaveValue("2");
  await expect(page.getByText("is not here")).toHaveCount(0);
  await expect(start).toBeEnabled();
});
