/** The settings of the Train screen: as fields, as TOML, against a preset, without a network, and the same run from a link. */
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test, type Page } from "playwright/test";
import { dropFolder, pick, set } from "./page-actions.ts";
import { makeTrainingData, type TrainingData } from "./training-data.ts";

let data: TrainingData;
test.beforeAll(async () => {
  data = await makeTrainingData();
});

const rank = (page: Page) => page.locator("#set-network_dim");
const toml = (page: Page) => page.getByRole("textbox", { name: "Settings as TOML" });

test("TOML follows the form, is taken once all of it can be used, and can be taken back", async ({ page }) => {
  await page.goto("/#/train");
  await page.getByRole("button", { name: "TOML", exact: true }).press("Enter");
  await expect(toml(page)).toHaveValue(/^network_dim = 16$/m);
  await set(page, "network_dim", "12");
  await expect(toml(page)).toHaveValue(/^network_dim = 12$/m);

  const text = await toml(page).inputValue();
  const at = text.split("\n").findIndex((line) => line.startsWith("network_dim")) + 1;
  await toml(page).fill(text.replace("network_dim = 12", "network_dim = 0 # too few"));
  await expect(page.getByText("Not taken: 1 line to correct")).toBeVisible();
  await expect(rank(page)).toHaveValue("12");
  await page.getByRole("button", { name: `Line ${at}`, exact: true }).click();
  await expect(toml(page)).toBeFocused();
  expect(await toml(page).evaluate((field: HTMLTextAreaElement) => field.value.slice(field.selectionStart, field.selectionEnd))).toBe("network_dim = 0 # too few");
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

  // What is marked is typed over, as in any editor.
  await page.keyboard.type("network_dim = 20 # mine");
  await expect(rank(page)).toHaveValue("20");
  await page.keyboard.press("Tab");
  await set(page, "seed", "5");
  await expect(toml(page)).toHaveValue(/^network_dim = 20 # mine$/m);
  await expect(toml(page)).toHaveValue(/^seed = 5$/m);
  await page.reload();
  await expect(toml(page)).toHaveValue(/^network_dim = 20 # mine$/m);

  await toml(page).fill(`${await toml(page).inputValue()}my_key = 1\ntrain_batch_size = 2\n`);
  await expect(page.locator("#set-train_batch_size")).toHaveValue("2");
  await expect(page.getByText("my_key is not known here; it is kept and does nothing.")).toBeVisible();
  await page.getByRole("button", { name: "Undo edit" }).click();
  await expect(page.locator("#set-train_batch_size")).toHaveValue("1");
  await expect(page.locator("#set-seed")).toHaveValue("5");
  await expect(toml(page)).toHaveValue(/^network_dim = 20 # mine$/m);
});

test("fields say what was changed from the preset, after a reload too, and go back to it", async ({ page }) => {
  await page.goto("/#/train");
  await page.getByRole("button", { name: "Presets…" }).click();
  await page.getByRole("button", { name: "Compare and use “Style”" }).click();
  await page.getByRole("button", { name: "Use these settings" }).click();
  await expect(page.getByText("As in “Style”")).toBeVisible();
  await set(page, "network_dim", "20");
  await page.reload();
  const changed = page.getByRole("button", { name: "1 changed from “Style”" });
  await changed.click();
  await expect(page.locator(".setting")).toHaveCount(1);
  await page.getByRole("button", { name: "Reset Rank (dimension) to 32" }).click();
  await expect(rank(page)).toHaveValue("32");
  await page.getByText("All", { exact: true }).first().click();
  await page.getByRole("searchbox").fill("最小 步");
  await expect(page.locator("#set-min_timestep")).toBeVisible();
  await page.getByText("More", { exact: true }).first().press("Enter");
  await expect(page.locator(".setting details[open] p")).toBeVisible();
});

test("the link's QR code is there, and sharing and presets are accessible", async ({ page }) => {
  await page.goto("/#/train");
  await page.getByRole("button", { name: "Share…" }).click();
  await expect(page.getByRole("img", { name: /QR code/ })).toBeVisible();
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Presets…" }).click();
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
});

test("presets, own ones too, work offline", async ({ page, context }) => {
  await page.goto("/#/train");
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  await page.reload();
  await context.setOffline(true);
  await page.reload();
  await page.getByRole("button", { name: "Presets…" }).click();
  await page.getByRole("button", { name: "Compare and use “Outfit”" }).click();
  await page.getByRole("button", { name: "Use these settings" }).click();
  await expect(rank(page)).toHaveValue("8");
  await page.getByRole("button", { name: "Presets…" }).click();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("mine");
  await page.getByRole("button", { name: "Save the present settings" }).click();
  const mine = page.getByRole("button", { name: "Compare and use “mine”" });
  // Shown once it is stored.
  await expect(mine).toBeVisible();
  await page.reload();
  await page.getByRole("button", { name: "Presets…" }).click();
  await expect(mine).toBeVisible();
});

test("regularization pictures that are dropped balance the training pictures in the plan", async ({ page }) => {
  const folder = join(data.folder, "class", "1_1girl");
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(data.dataset, "2_sls 1girl/picture 0.png"), join(folder, "r.png"));
  await page.goto("/#/train");
  await pick(page, data.model, data.dataset);
  await page.getByText("All", { exact: true }).first().click();
  await set(page, "max_train_epochs", "1");
  // 3 pictures, 2 repeats.
  await expect(page.locator("aside")).toContainText(/\b6 steps/);
  await dropFolder(page, "text=/or drop their folder here/i", join(data.folder, "class"));
  await expect(page.locator("aside")).toContainText(/\b12 steps/);
});

test("a link opened in another profile gives the identical run", async ({ page, browser }) => {
  await page.goto("/#/train");
  await pick(page, data.model, data.dataset);
  await page.getByText("All", { exact: true }).first().click();
  const settings = {
    resolution: "64,64", enable_bucket: "false", max_train_epochs: "", max_train_steps: "2", network_dim: "4", learning_rate: "1e-3", seed: "11",
    sample_prompts: "", sample_every_n_epochs: "", save_precision: "float", network_dropout: "0.1", noise_offset: "0.05", min_snr_gamma: "5",
    optimizer_type: "Lion", shuffle_caption: "true",
  };
  for (const [key, value] of Object.entries(settings)) await set(page, key, value);
  await page.getByRole("button", { name: "Share…" }).click();
  const link = await page.getByRole("textbox", { name: "Link" }).inputValue();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  const there = await browser.newContext({ locale: "zh-CN" });
  const other = await there.newPage();
  await other.goto(link);
  await other.getByRole("dialog").locator(".btn.primary").click();
  await pick(other, data.model, data.dataset);
  const files = [await trained(page), await trained(other)];
  await there.close();
  expect(files[0]!.length).toBeGreaterThan(100_000);
  expect(files[0]!.equals(files[1]!)).toBe(true);
});

/** Runs what is set up; the bytes of the file's tensors, in the order of their names. */
async function trained(page: Page): Promise<Buffer> {
  await page.locator("aside button.primary:enabled").click();
  const button = page.getByRole("button", { name: /^(Download|下载)/ });
  await expect(button).toBeVisible({ timeout: 200_000 });
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  const file = readFileSync(await download.path());
  return file.subarray(8 + Number(file.readBigUInt64LE(0)));
}
