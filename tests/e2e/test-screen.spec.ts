/**
 * Trying a LoRA out in a real browser: a base model and a downloaded LoRA, the pair at one seed, the weight slider, a
 * grid with its sheet, the history, and the way back from a picture to its settings.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test, type Page } from "playwright/test";
import { readPngTexts } from "../../src/formats/png-text.ts";
import { makeTrainingData, root, type TrainingData } from "./training-data.ts";

const patience = 400_000;
const lora = join(root, "tests/reference/data/lora-sd1.safetensors");

let data: TrainingData;
test.beforeAll(async () => {
  data = await makeTrainingData();
});

async function openBench(page: Page): Promise<void> {
  await page.goto("/#/test");
  await page.locator('section:has(h2:text-is("Base model")) input[type=file]').first().setInputFiles(data.model);
  await expect(page.getByRole("button", { name: "Add files" })).toBeEnabled();
  await page.getByRole("textbox", { name: "Prompt", exact: true }).fill("smith, smile");
  for (const [label, value] of [["Steps", "3"], ["Width", "64"], ["Height", "64"]] as const) {
    await page.getByLabel(label, { exact: true }).fill(value);
    await page.getByLabel(label, { exact: true }).blur();
  }
}

async function parameters(path: string): Promise<string> {
  return (await readPngTexts(new Uint8Array(readFileSync(path)))).get("parameters") ?? "";
}

/** What the page shows of a picture, as pixels. */
async function pixels(page: Page, selector: string): Promise<string> {
  return page.locator(selector).first().evaluate(async (image: HTMLImageElement) => {
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext("2d")?.drawImage(image, 0, 0);
    return canvas.toDataURL();
  });
}

test("unknown addresses lead home, and keys and tabs lead on", async ({ page }) => {
  await page.goto("/#/no-such-screen");
  await expect(page.getByRole("link", { name: "Home", exact: true })).toHaveAttribute("aria-current", "page");
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await page.getByRole("link", { name: "Train", exact: true }).click();
  await expect(page).toHaveURL(/#\/train$/);
  await expect(page.locator("main")).toBeFocused();
  await page.keyboard.press("g");
  await page.keyboard.press("e");
  await expect(page).toHaveURL(/#\/test$/);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Try a LoRA" })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Train a LoRA" })).toBeVisible();
});

test("says what is missing before anything can be drawn", async ({ page }) => {
  await page.goto("/#/test");
  await expect(page.getByRole("button", { name: /^Generate/ })).toBeDisabled();
  await expect(page.getByText("choose a base model").first()).toBeVisible();
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
});

test("compares base and LoRA at one seed, follows the slider, and keeps pictures with their settings", async ({ page }, info) => {
  await openBench(page);
  await page.locator(".loras input[type=file]").first().setInputFiles(lora);
  await expect(page.locator(".loras").getByText(/layers applied/)).toBeVisible();
  await page.keyboard.press("Control+Enter");
  const divider = page.getByRole("slider", { name: "Divider between base and LoRA" });
  await expect(divider).toBeVisible({ timeout: patience });
  await page.screenshot({ path: info.outputPath("pair.png"), fullPage: true });
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

  await divider.focus();
  await divider.press("Home");
  await expect(divider).toHaveAttribute("aria-valuenow", "0");
  await divider.press("ArrowRight");
  await expect(divider).toHaveAttribute("aria-valuenow", "2");

  const full = await pixels(page, ".frame > img");
  const base = await pixels(page, ".frame .base img");
  expect(full).not.toBe(base);
  const weight = page.locator(".loras input[type=range]").first();
  await weight.fill("0.5");
  await expect.poll(() => pixels(page, ".frame > img"), { timeout: patience }).not.toBe(full);
  // Back to a weight that was drawn before: from memory, the same picture.
  await weight.fill("1");
  await expect.poll(() => pixels(page, ".frame > img"), { timeout: patience }).toBe(full);
  // At weight 0 there is nothing to compare: it is the base's picture.
  await weight.fill("0");
  await expect.poll(() => pixels(page, ".frame > img"), { timeout: patience }).toBe(base);

  const [saved] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save PNG" }).click()]);
  const text = await parameters(await saved.path());
  expect(text).toContain("smith, smile");
  expect(text).toMatch(/Steps: 3, Sampler: .*Size: 64x64/);

  await page.getByRole("textbox", { name: "Prompt", exact: true }).fill("something else");
  await page.locator("input[type=file][accept='image/png']").setInputFiles(await saved.path());
  await expect(page.getByRole("textbox", { name: "Prompt", exact: true })).toHaveValue(/^smith, smile/);

  const picture = page.getByRole("button", { name: /^Use the settings of: smith/ });
  await expect(picture).toHaveCount(1);
  await page.getByRole("button", { name: "Delete" }).click();
  await expect(picture).toHaveCount(0);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(picture).toHaveCount(1);
  await page.locator(".history").getByRole("button", { name: "Send to dataset" }).click();
  await expect(page.getByText("Added to the dataset generated")).toBeVisible();
  await page.getByRole("link", { name: "Open the set-up" }).click();
  await expect(page.getByText("1_generated").first()).toBeVisible();
  await expect(page.getByText("1 made on the Test screen")).toBeVisible();
  await expect(page.getByRole("img", { name: /generated-\d+\.png, made on the Test screen/ })).toBeVisible();

  await page.reload();
  await page.getByRole("link", { name: "Test", exact: true }).click();
  await expect(picture).toHaveCount(1);
});

test("draws a grid, keeps its cells when it is stopped, and saves a sheet with its settings", async ({ page }, info) => {
  await openBench(page);
  await page.getByText("Grid", { exact: true }).first().click();
  await page.getByLabel("Columns", { exact: true }).selectOption("steps");
  await page.getByLabel("Columns: Values").fill("2, 3");
  await page.getByLabel("Rows: Values").fill("5-6");
  await expect(page.getByText("4 pictures")).toBeVisible();
  await page.getByRole("button", { name: "Draw the grid" }).click();
  await expect(page.locator("table button")).toHaveCount(4, { timeout: patience });
  await page.screenshot({ path: info.outputPath("grid.png"), fullPage: true });
  const [sheet] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save the sheet" }).click()]);
  expect(await parameters(await sheet.path())).toContain("smith, smile");

  await page.locator("table button").first().click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("dialog")).toHaveAttribute("aria-label", /Steps 3/);
  await page.keyboard.press("Escape");

  await page.getByLabel("Columns: Values").fill("2, 150");
  await page.waitForTimeout(1000);
  await page.getByRole("button", { name: "Draw the grid" }).click();
  // The earlier grid's cells go, then the first of the new ones comes.
  await expect.poll(() => page.locator("table button").count(), { timeout: patience }).toBeLessThan(4);
  await expect(page.locator("table button").first()).toBeVisible({ timeout: patience });
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Draw the grid" })).toBeVisible({ timeout: patience });
  const kept = await page.locator("table button").count();
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThan(4);
});

test("opens a damaged LoRA as a clear message, and works on", async ({ page }) => {
  await openBench(page);
  await page.locator(".loras input[type=file]").first().setInputFiles({
    name: "broken.safetensors", mimeType: "application/octet-stream", buffer: Buffer.alloc(64),
  });
  await expect(page.locator(".loras .notice.bad")).toBeVisible();
  await page.locator(".loras input[type=file]").first().setInputFiles(lora);
  await expect(page.locator(".loras .notice.bad")).toHaveCount(0);
  await expect(page.locator(".loras").getByText(/layers applied/)).toBeVisible();
});
