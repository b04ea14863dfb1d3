/**
 * A newcomer's way, with nothing at hand: three clicks from the home page to a trained LoRA beside its base model, and its
 * weight slider. Then once more without a network. Everything is the real one; only how long it trains is shortened, once
 * by the demo's settings and once by stopping.
 */
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test, type Page, type TestInfo } from "playwright/test";

const patience = 500_000;

interface Manifest {
  settings: Record<string, unknown>;
  datasets: { settings: Record<string, unknown> }[];
}

async function openDemo(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Try the demo" }).click();
  await expect(page).toHaveURL(/#\/train$/);
  await expect(page.getByText("smith/img/8_smith 1boy").first()).toBeVisible();
}

async function start(page: Page): Promise<void> {
  const button = page.getByRole("button", { name: "Start training" }).first();
  await expect(button).toBeEnabled({ timeout: patience });
  await button.click();
}

async function tryOut(page: Page, info: TestInfo, name: string): Promise<void> {
  await page.getByRole("button", { name: "Try it out" }).first().click();
  await expect(page).toHaveURL(/#\/test$/);
  await expect(page.getByRole("slider", { name: "Divider between base and LoRA" })).toBeVisible({ timeout: patience });
  await page.screenshot({ path: info.outputPath(`${name}.png`), fullPage: true });
}

test.describe("with nothing at hand", () => {
  // A service worker would answer before the shortened settings below.
  test.use({ serviceWorkers: "block" });

  test("trains the demo and drags its weight slider in three clicks", async ({ page }, info) => {
    test.setTimeout(20 * 60_000);
    await page.route("**/demo/manifest.json", async (route) => {
      const response = await route.fetch();
      const manifest = (await response.json()) as Manifest;
      // A software adapter stands in for a graphics card: two updates, and one small sample before and after.
      Object.assign(manifest.settings, { max_train_epochs: null, max_train_steps: 2 });
      manifest.datasets[0]!.settings["sample_prompts"] = "smith, flat color, smile --w 64 --h 64 --s 2 --l 4 --d 7";
      await route.fulfill({ response, json: manifest });
    });
    await page.goto("/");
    await expect(page.getByRole("button", { name: "Try the demo" })).toBeVisible();
    await page.screenshot({ path: info.outputPath("1-home.png"), fullPage: true });

    await openDemo(page);
    await page.screenshot({ path: info.outputPath("2-set-up.png"), fullPage: true });

    await start(page);
    const wall = page.getByRole("region", { name: "Samples by prompt and step" });
    // The base model's picture, before the first step.
    await expect(wall.locator("img").first()).toBeVisible({ timeout: patience });
    await page.screenshot({ path: info.outputPath("3-run.png"), fullPage: true });
    await expect(page.getByText("Done", { exact: true }).first()).toBeVisible({ timeout: patience });
    await expect(wall.locator("img")).toHaveCount(2);

    await tryOut(page, info, "4-test");
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    const full = await page.locator(".frame > img").getAttribute("src");
    await page.locator(".loras input[type=range]").first().fill("0.5");
    await expect.poll(() => page.locator(".frame > img").getAttribute("src"), { timeout: patience }).not.toBe(full);
    await page.screenshot({ path: info.outputPath("5-slider.png"), fullPage: true });
  });
});

test("does the same without a network after one visit", async ({ page, context }, info) => {
  test.setTimeout(20 * 60_000);
  await page.goto("/");
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await context.setOffline(true);
  await page.reload();
  await openDemo(page);
  await start(page);
  // The full run would take minutes: a few steps make a LoRA as well.
  await expect(page.getByRole("button", { name: "Stop and keep" })).toBeEnabled({ timeout: patience });
  await page.getByRole("button", { name: "Stop and keep" }).click();
  await expect(page.getByRole("button", { name: "Try it out" }).first()).toBeVisible({ timeout: patience });
  await tryOut(page, info, "offline");
});
