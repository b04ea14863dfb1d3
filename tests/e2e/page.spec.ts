/** The page itself: accessible, offline, narrow screens, and clear about files that are no checkpoints. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test } from "playwright/test";
import { pick } from "./page-actions.ts";
import { makeTrainingData, root, type TrainingData } from "./training-data.ts";

let data: TrainingData;
test.beforeAll(async () => {
  data = await makeTrainingData();
});

for (const [locale, colorScheme] of [["en-US", "light"], ["zh-CN", "dark"]] as const) {
  test.describe(`${locale}, ${colorScheme}`, () => {
    test.use({ locale, colorScheme });

    test("has no accessibility violations, empty and set up", async ({ page }) => {
      await page.goto("/#/train");
      await expect(page.locator("html")).toHaveAttribute("lang", locale === "zh-CN" ? /^zh/ : /^en/);
      expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
      await pick(page, data.model, data.dataset);
      await expect(page.getByText("set/2_sls 1girl").first()).toBeVisible();
      await expect(page.getByText("Stable Diffusion 1.x", { exact: true })).toBeVisible();
      expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    });

    test("fits a screen of 320 pixels without sideways scrolling", async ({ page }) => {
      await page.setViewportSize({ width: 320, height: 700 });
      await page.goto("/#/train");
      await pick(page, data.model, data.dataset);
      await expect(page.getByText("Stable Diffusion 1.x", { exact: true })).toBeVisible();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(overflow).toBeLessThanOrEqual(0);
    });
  });
}

test("works offline after one visit and asks no other host for anything", async ({ page, context }) => {
  const foreign: string[] = [];
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol.startsWith("http") && hostname !== "localhost") foreign.push(request.url());
  });
  await page.goto("/#/train");
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  // The worker's own files are cached while it installs; it is ready when that is done.
  await page.reload();
  await context.setOffline(true);
  await page.reload();
  await pick(page, data.model);
  await expect(page.getByText("Stable Diffusion 1.x", { exact: true })).toBeVisible();
  expect(foreign).toEqual([]);
});

test("says what is wrong with a file that is no base model, and takes another", async ({ page }) => {
  await page.goto("/#/train");
  await pick(page, join(root, "tests/reference/data/lora-sd1.safetensors"));
  await expect(page.getByText(/LoRA/).first()).toBeVisible();
  await expect(page.getByText("Stable Diffusion 1.x", { exact: true })).toHaveCount(0);
  const broken = join(data.folder, "broken.safetensors");
  writeFileSync(broken, new Uint8Array(64));
  await pick(page, broken);
  await expect(page.locator(".notice").filter({ hasText: "broken.safetensors" }).or(page.getByText(/damaged|incomplete/i)).first()).toBeVisible();
  await pick(page, data.model);
  await expect(page.getByText("Stable Diffusion 1.x", { exact: true })).toBeVisible();
});

test("says that a browser without WebGPU cannot train, and what to do", async ({ playwright, baseURL }) => {
  const executablePath = process.env["LORASMITH_CHROMIUM"];
  // Without the switches of playwright.config.ts, Chromium on a machine like this has no adapter.
  const browser = await playwright.chromium.launch({ args: ["--no-sandbox"], ...(executablePath === undefined ? {} : { executablePath }) });
  try {
    const page = await browser.newPage({ locale: "en-US", ...(baseURL === undefined ? {} : { baseURL }) });
    await page.goto("/#/train");
    await expect(page.getByText(/WebGPU/).first()).toBeVisible();
    await pick(page, data.model, data.dataset);
    await expect(page.getByRole("button", { name: "Start training" }).first()).toBeDisabled();
  } finally {
    await browser.close();
  }
});
