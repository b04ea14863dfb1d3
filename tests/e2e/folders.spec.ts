/** What holds for single folders: set on the page, kept as sd-scripts' dataset configuration beside the pictures. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "playwright/test";
import { pick } from "./page-actions.ts";

test("a folder's own options act, survive a reload, name what is wrong, and go again", async ({ page }) => {
  const set = join(mkdtempSync(join(tmpdir(), "lorasmith-folders-")), "set");
  for (const [folder, count] of [["10_cat", 2], ["3_dog", 1]] as const) {
    mkdirSync(join(set, folder), { recursive: true });
    for (let i = 0; i < count; i++) {
      await sharp({ create: { width: 512, height: 512, channels: 3, background: { r: 90 * i, g: 120, b: 90 } } }).png().toFile(join(set, folder, `${i}.png`));
    }
  }
  await page.goto("/#/train");
  await pick(page, undefined, set);
  const row = page.getByRole("row", { name: /set\/10_cat/ });
  await expect(row).toContainText("10");
  await page.getByText("Options of this folder").first().click();
  const repeats = page.locator("input[id$=-repeats]").first();
  await repeats.fill("4");
  await repeats.blur();
  await expect(row).toContainText("4");
  await page.locator("select[id$=-flip_aug]").first().selectOption("true");
  await expect(page.getByText("Options of this folder (1 of its own)")).toBeVisible();
  // 2 pictures x 4 and 1 picture x 3.
  await expect(page.locator("aside")).toContainText("11");
  await repeats.fill("0");
  await repeats.blur();
  await expect(page.getByText("num_repeats is 0")).toBeVisible();

  await page.reload();
  await expect(page.getByText("Options of this folder (1 of its own)")).toBeVisible();
  await expect(row).toContainText("4");
  await page.getByText("Leave the configuration out").click();
  await expect(row).toContainText("10");

  const config = join(set, "mine.toml");
  writeFileSync(config, '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "/elsewhere/3_dog"\nnum_repeat = 5\n');
  const chooser = page.waitForEvent("filechooser");
  await page.getByText("Dataset configuration…").click();
  await (await chooser).setFiles(config);
  await expect(page.getByText("num_repeat in [[datasets.subsets]] 1")).toBeVisible();
});
