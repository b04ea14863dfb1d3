/** The dataset studio's taggers in real Chromium: the built-in one, files of the user's own, a captioner, a comparison, one edit. */
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test, type Page } from "playwright/test";
import { openStudioWith } from "./studio-data.ts";
import { root } from "./training-data.ts";

const data = join(root, "tests/reference/data");
const tagger = ["model.onnx", "selected_tags.csv"].map((name) => join(data, "tagger", name));
const captioner = ["encoder.onnx", "decoder.onnx", "vocab.txt", "captioner.json"].map((name) => join(data, "captioner-git", name));

async function openPanel(page: Page) {
  await openStudioWith(page, [
    { name: "one.png", width: 160, height: 120, subject: [0.3, 0.5] },
    { name: "two.png", width: 90, height: 140, subject: [0.5, 0.4], caption: "sls, a disc" },
    { name: "three.png", width: 64, height: 64, subject: [0.6, 0.6] },
  ]);
  await page.getByRole("tab", { name: "Auto-tag" }).click();
  const panel = page.getByRole("tabpanel");
  await page.getByRole("option", { name: /one\.png/ }).first().click();
  return panel;
}

test("a set is tagged by files of one's own, previewed, written in one edit and taken back", async ({ page }) => {
  const panel = await openPanel(page);
  await panel.locator("input[type=file]").setInputFiles(tagger);
  await expect(panel.getByLabel("Tagger or captioner")).toHaveValue(/^wd-model-/);
  await panel.getByLabel("Pictures", { exact: true }).selectOption("all");
  await panel.getByRole("button", { name: "Try on the chosen picture" }).click();
  const preview = panel.getByRole("heading", { name: "one.png would get" }).locator("..").locator(".caption");
  await expect(preview).toContainText(",");
  const loose = (await preview.textContent())!.split(", ").length;
  await panel.getByLabel("Tags from this score on", { exact: true }).first().fill("0.9");
  await expect.poll(async () => ((await preview.count()) === 0 ? 0 : (await preview.textContent())!.split(", ").length)).toBeLessThan(loose);
  await panel.getByRole("button", { name: "As the model's makers have it" }).click();
  await panel.getByRole("button", { name: "Read 1 picture" }).click();
  await panel.getByRole("button", { name: "Write 2 captions" }).click();
  await expect(panel.getByRole("button", { name: "Nothing to write" })).toBeVisible();
  await expect(page.getByText(/Captions by WD14: model\.onnx: 2/).first()).toBeVisible();
  await page.keyboard.press("Control+z");
  await expect(panel.getByRole("button", { name: "Write 2 captions" })).toBeEnabled();
});

test("models that are kept are there after a reload, with what they found", async ({ page }) => {
  const panel = await openPanel(page);
  await panel.locator("input[type=file]").setInputFiles(tagger);
  await panel.getByRole("button", { name: "Keep in this browser" }).click();
  await expect(panel.getByRole("button", { name: "Delete from this browser" })).toBeVisible();
  await panel.getByLabel("Pictures", { exact: true }).selectOption("all");
  await panel.getByRole("button", { name: "Read 2 pictures" }).click();
  await expect(panel.getByRole("button", { name: "Write 2 captions" })).toBeEnabled();
  await page.reload();
  await page.getByRole("tab", { name: "Auto-tag" }).click();
  await expect(panel.getByRole("button", { name: "Write 2 captions" })).toBeEnabled();
  page.once("dialog", (dialog) => void dialog.accept());
  await panel.getByRole("button", { name: "Delete from this browser" }).click();
  await expect(panel.getByLabel("Tagger or captioner").locator("optgroup[label='In this browser']")).toHaveCount(0);
});

test("a tagger and a captioner are compared on one picture, and their words adopted", async ({ page }) => {
  const panel = await openPanel(page);
  await panel.locator("input[type=file]").setInputFiles(tagger);
  await expect(panel.getByLabel("Tagger or captioner")).toHaveValue(/^wd-model-/);
  await panel.locator("input[type=file]").setInputFiles(captioner);
  await expect(panel.getByLabel("Tagger or captioner")).toHaveValue(/^tiny-git-/);
  await panel.getByRole("button", { name: "Compare on this picture…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Compare" }).click();
  await expect(dialog.getByRole("heading", { name: "Tiny GIT" })).toBeVisible();
  await expect(dialog.getByText(/\d\.\d\d s/)).toHaveCount(await dialog.getByRole("checkbox").count());
  const sentence = dialog.locator("section").filter({ has: page.getByRole("heading", { name: "Tiny GIT" }) });
  const words = (await sentence.locator(".words").textContent())!;
  expect(words.split(" ").length).toBeGreaterThan(2);
  await sentence.getByRole("button", { name: "Take this" }).click();
  await expect(dialog.getByText(`Caption now ${words}`)).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).include("dialog").analyze();
  expect(violations).toEqual([]);
});

test("files that are no tagger are told, and nothing changes", async ({ page }) => {
  const panel = await openPanel(page);
  await panel.locator("input[type=file]").setInputFiles(tagger.slice(1));
  await expect(panel.getByText("these are not all files of one tagger or captioner")).toBeVisible();
  await panel.locator("input[type=file]").setInputFiles(join(data, "tagger", "logits.onnx"));
  await panel.getByRole("button", { name: "Try on the chosen picture" }).click();
  await expect(panel.getByText("gives numbers that are no probabilities")).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).include("aside").analyze();
  expect(violations).toEqual([]);
});

test("a published tagger is downloaded at a press on the button, and nothing before it", async ({ page, context }) => {
  const asked: string[] = [];
  await context.route("https://huggingface.co/**", (route) => {
    asked.push(route.request().url());
    const headers = { "access-control-allow-origin": "*", "content-type": "application/octet-stream", etag: "v1" };
    return route.fulfill({ headers, path: join(data, "tagger", new URL(route.request().url()).pathname.split("/").at(-1)!) });
  });
  const panel = await openPanel(page);
  await panel.getByLabel("Tagger or captioner").selectOption("wd-vit-tagger-v3");
  const button = panel.getByRole("button", { name: "Download" });
  await expect(button).toBeVisible();
  expect(asked).toEqual([]);
  await button.click();
  await expect(panel.getByRole("button", { name: "Delete from this browser" })).toBeVisible();
  expect(asked.map((url) => url.replace(/^.*\/resolve\//, ""))).toEqual(["main/model.onnx", "main/selected_tags.csv"]);
  await panel.getByRole("button", { name: "Try on the chosen picture" }).click();
  await expect(panel.locator(".caption")).toContainText(",");
});
