/** Presets, links and kohya's files on the page: nothing applies before it was shown and agreed to. */
import { readFileSync } from "node:fs";
import { expect, test } from "playwright/test";
import type { Page } from "playwright/test";
import { suggestedConfig } from "../../src/config/parameters.ts";
import { presetOf } from "../../src/config/preset.ts";
import { writeShareLink } from "../../src/config/share-link.ts";
import { makeTrainingData } from "./training-data.ts";

const markup = "<img src=x onerror=\"document.title='hacked'\"><script>1</script>";
const config = { ...suggestedConfig(), network_dim: 24, sample_prompts: `${markup}\nSmith`, training_comment: markup };

const showTrain = (page: Page) => expect(page.getByRole("heading", { name: "Train a LoRA" })).toBeVisible();
const rank = (page: Page) => page.locator("#set-network_dim");

test("a link shows what would change, changes it when told to, and its markup stays text", async ({ page }) => {
  const hash = await writeShareLink(presetOf(markup, config, { name: markup, hash: "1a2b3c4d" }));
  await page.goto(`/${hash}`);
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("3 settings change");
  await expect(dialog).toContainText(markup.slice(0, 20));
  await expect(dialog.locator("img, script")).toHaveCount(0);
  await expect(page).toHaveURL(/#\/train$/);
  await expect(rank(page)).toHaveValue("16");
  await dialog.getByRole("button", { name: "Use these settings" }).click();
  await expect(rank(page)).toHaveValue("24");
  await page.reload();
  await showTrain(page);
  await expect(rank(page)).toHaveValue("24");
  await expect(page.getByRole("dialog")).toBeHidden();
  expect(await page.title()).not.toContain("hacked");
});

test("a damaged link and one of a newer version say so, and change nothing", async ({ page }) => {
  const hash = (await writeShareLink(presetOf("A", config)))!;
  await page.goto(`/${hash.slice(0, -5)}`);
  await expect(page.getByRole("dialog")).toContainText("damaged or incomplete");
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await page.evaluate((newer) => {
    location.hash = newer;
  }, hash.replace("#p=1.", "#p=2."));
  await expect(page.getByRole("dialog")).toContainText("newer version of the page (format 2");
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await expect(rank(page)).toHaveValue("16");
});

test("a link that is copied here opens there", async ({ page, browser }) => {
  await page.goto("/#/train");
  await rank(page).fill("12");
  await rank(page).blur();
  await page.getByRole("button", { name: "Share…" }).click();
  const link = page.getByRole("textbox", { name: "Link" });
  await expect(link).toHaveValue(/#p=1\./);
  const there = await browser.newContext();
  const other = await there.newPage();
  await other.goto(await link.inputValue());
  await expect(other.getByRole("dialog")).toContainText("network_dim");
  await other.getByRole("button", { name: "Use these settings" }).click();
  await expect(rank(other)).toHaveValue("12");
  await there.close();
});

test("presets of the program give reasons, and own ones are kept", async ({ page }) => {
  await page.goto("/#/train");
  await page.getByRole("button", { name: "Presets…" }).click();
  await page.getByRole("button", { name: "Compare and use “Style”" }).click();
  await expect(page.getByRole("dialog")).toContainText("Only the UNet is trained");
  await page.getByRole("button", { name: "Use these settings" }).click();
  await expect(rank(page)).toHaveValue("32");
  await page.getByRole("button", { name: "Presets…" }).click();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("my style");
  await page.getByRole("button", { name: "Save the present settings" }).click();
  await page.reload();
  await page.getByRole("button", { name: "Presets…" }).click();
  await page.getByRole("button", { name: "Compare and use “my style”" }).click();
  await expect(page.getByRole("dialog")).toContainText("Your settings are like this already.");
});

test("a JSON of kohya_ss comes in with what is wrong with it, and goes out as it was", async ({ page }) => {
  const saved = readFileSync(new URL("../unit/fixtures/kohya/gui-2023-autumn.json", import.meta.url), "utf8").replace('"network_alpha": 128', '"network_alpha": -1');
  await page.goto("/#/train");
  await page.locator('input[type="file"][accept=".toml,.json"]').setInputFiles({ name: "old.json", mimeType: "application/json", buffer: Buffer.from(saved) });
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("network_alpha = -1");
  await expect(dialog).toContainText("my_own_note");
  await dialog.getByRole("button", { name: "Use these settings" }).click();
  await expect(rank(page)).toHaveValue("128");
  await page.getByText("Export", { exact: true }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "kohya_ss (JSON)" }).click()]);
  expect(readFileSync(await file.path(), "utf8").split("\n").filter((line) => !saved.includes(line))).toEqual([]);
});

test("pictures and settings go into a zip for sd-scripts", async ({ page }) => {
  // The question where to save it is the browser's own; without it the file goes to the downloads.
  await page.addInitScript(() => Reflect.deleteProperty(window, "showSaveFilePicker"));
  const { dataset } = await makeTrainingData();
  await page.goto("/#/train");
  await page.locator("input[type=file][webkitdirectory]").first().setInputFiles(dataset);
  await expect(page.getByText("set/2_sls 1girl").first()).toBeVisible();
  await page.getByText("Export", { exact: true }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "sd-scripts with pictures (zip)" }).click()]);
  const zip = readFileSync(await file.path(), "latin1");
  for (const text of ["last/config.toml", "last/train/2_sls 1girl/", "num_repeats = 2", "accelerate launch"]) expect(zip).toContain(text);
});
