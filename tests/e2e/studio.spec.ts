/**
 * Steps 1 to 5 of the guide in one go, in a real browser: a zip becomes a tagged, merged and cropped set with
 * regularization pictures, goes out, comes back without a difference, and is trained on. Then the same by keyboard alone.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { BlobReader, BlobWriter, ZipReader, ZipWriter } from "@zip.js/zip.js";
import { expect, test, type Locator, type Page } from "playwright/test";
import type { StudioPicture } from "../../src/studio/picture.ts";
import { set } from "./page-actions.ts";
import { makeTrainingData, root, type TrainingData } from "./training-data.ts";

const smith = join(root, "public/demo/smith/img/8_smith 1boy");
const tagger = ["model.onnx", "selected_tags.csv"].map((name) => join(root, "tests/reference/data/tagger", name));
const count = 6;

let data: TrainingData;
let zip: Buffer;
test.beforeAll(async () => {
  data = await makeTrainingData();
  const writer = new ZipWriter(new BlobWriter("application/zip"));
  const pictures = readdirSync(smith).filter((name) => name.endsWith(".png")).sort().slice(0, count);
  for (const name of pictures) await writer.add(`heap/${name}`, new BlobReader(new Blob([readFileSync(join(smith, name))])));
  zip = Buffer.from(await (await writer.close()).arrayBuffer());
});

/** Pictures of the open set, as the browser has stored them, by name. */
async function stored(page: Page): Promise<(StudioPicture & { setId: string })[]> {
  const rows = await page.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.addEventListener("success", () => resolve(request.result));
        request.addEventListener("error", () => reject(request.error as Error));
      });
    const db = await settled(indexedDB.open("lorasmith"));
    const tx = db.transaction(["sets", "setPictures"]);
    const sets = await settled<{ id: string; createdAt: number }[]>(tx.objectStore("sets").getAll());
    const newest = sets.toSorted((a, b) => b.createdAt - a.createdAt)[0]?.id ?? "";
    const found = await settled<(StudioPicture & { setId: string })[]>(tx.objectStore("setPictures").getAll());
    db.close();
    return found.filter(({ setId }) => setId === newest);
  });
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function expectNoViolations(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([]);
}

async function saved(page: Page, button: Locator): Promise<Map<string, Buffer>> {
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  const reader = new ZipReader(new BlobReader(new Blob([readFileSync(await download.path())])));
  const files = new Map<string, Buffer>();
  for (const entry of await reader.getEntries()) {
    if (!entry.directory) files.set(entry.filename, Buffer.from(await (await entry.getData(new BlobWriter())).arrayBuffer()));
  }
  return files;
}

test("a zip of pictures becomes a set, and the set a run", async ({ page }, info) => {
  test.setTimeout(600_000);
  // A test cannot answer the browser's own dialogs.
  await page.addInitScript(() => {
    Reflect.deleteProperty(globalThis, "showSaveFilePicker");
    Reflect.deleteProperty(globalThis, "showDirectoryPicker");
  });
  await page.goto("/#/dataset");
  await expectNoViolations(page);
  await page.locator("input[type=file]:not([webkitdirectory])").first().setInputFiles({ name: "heap.zip", mimeType: "application/zip", buffer: zip });
  await expect(page.getByText(`${count} pictures came in.`)).toBeVisible();
  await expect(page.locator("[data-picture]")).toHaveCount(count);
  await page.getByRole("button", { name: "Dismiss" }).click();
  await expectNoViolations(page);

  // Tagged by the embedded tagger, after a look at what another one says.
  await page.getByRole("tab", { name: "Auto-tag" }).click();
  const panel = page.getByRole("tabpanel");
  const model = panel.getByLabel("Tagger or captioner");
  await page.locator("[data-picture]").first().click();
  await panel.locator("input[type=file]").setInputFiles(tagger);
  await expect(model).toHaveValue(/^wd-model-/);
  await model.selectOption({ index: 0 });
  await model.selectOption(await model.locator("optgroup[label^='Built in'] option").first().getAttribute("value") ?? "");
  await panel.getByRole("button", { name: "Compare on this picture…" }).click();
  const comparison = page.getByRole("dialog");
  await comparison.getByRole("button", { name: "Compare" }).click();
  await expect(comparison.getByText(/\d\.\d\d s/)).toHaveCount(2);
  await page.screenshot({ path: info.outputPath("compare.png") });
  await comparison.getByRole("button", { name: "Close", exact: true }).click();
  await panel.getByLabel("Pictures", { exact: true }).selectOption("all");
  await panel.getByRole("button", { name: /^Read \d pictures?$/ }).click();
  await panel.getByRole("button", { name: `Write ${count} captions` }).click();
  await expect(panel.getByRole("button", { name: "Nothing to write" })).toBeVisible();
  const tagged = await stored(page);
  expect(tagged.every(({ caption }) => caption?.includes("1boy"))).toBe(true);

  // Merged into the trigger.
  await page.getByRole("tab", { name: "Tags" }).click();
  await page.getByRole("button", { name: "Merge keywords…" }).click();
  const merge = page.getByRole("dialog");
  await merge.getByLabel("Trigger word").fill("smith");
  await merge.getByRole("button", { name: "Next" }).click();
  await merge.getByRole("button", { name: /^Tick what is suggested/ }).click();
  await expectNoViolations(page);
  await merge.getByRole("button", { name: "Next" }).click();
  await merge.getByRole("button", { name: "Next" }).click();
  await merge.getByRole("button", { name: "Merge", exact: true }).click();
  await expect.poll(async () => (await stored(page)).every(({ caption }) => caption?.startsWith("smith"))).toBe(true);
  expect((await stored(page)).map(({ caption }) => caption!.split(", ").length).every((tags, i) => tags <= tagged[i]!.caption!.split(", ").length)).toBe(true);

  // One of them cropped, all of them in a folder with a name.
  await page.locator("[data-picture]").first().click();
  await page.keyboard.press("c");
  await page.getByLabel("Shape", { exact: true }).selectOption("Square");
  await page.getByRole("application").focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Control+Enter");
  await page.keyboard.press("Escape");
  await expect.poll(async () => (await stored(page)).filter(({ crop }) => crop !== null).length).toBe(1);
  await page.getByRole("tab", { name: "Folders" }).click();
  await page.getByLabel("Repeats").first().fill("2");
  await page.getByLabel("Identifier").first().fill("smith");
  await page.getByLabel("Class").first().fill("1boy");
  await page.getByLabel("Class").first().blur();
  await expect(page.getByText("smith 1boy · ×2")).toBeVisible();

  // Two pictures of the class, drawn by the model that is going to be trained.
  await page.getByRole("link", { name: "Test", exact: true }).click();
  await page.locator('section:has(h2:text-is("Base model")) input[type=file]').first().setInputFiles(data.model);
  await expect(page.getByRole("button", { name: "Add files" })).toBeEnabled();
  for (const [label, value] of [["Steps", "2"], ["Width", "64"], ["Height", "64"]] as const) {
    await page.getByLabel(label, { exact: true }).fill(value);
    await page.getByLabel(label, { exact: true }).blur();
  }
  await page.getByRole("link", { name: "Dataset", exact: true }).click();
  await page.getByRole("tab", { name: "Class", exact: true }).click();
  await expect(panel.getByLabel("Class")).toHaveValue("1boy");
  await panel.getByLabel("Pictures").fill("2");
  await panel.getByLabel("Pictures").blur();
  await panel.getByRole("button", { name: "Draw them" }).click();
  await expect(page.getByText("1boy · ×1 · regularization")).toBeVisible({ timeout: 300_000 });
  await expect(page.locator("[data-picture]")).toHaveCount(count + 2);
  await page.screenshot({ path: info.outputPath("set.png") });

  // Out as the guide's folders, out whole, and back in without a difference.
  const before = await stored(page);
  await page.getByRole("tab", { name: "Set & files" }).click();
  const folders = await saved(page, panel.getByRole("button", { name: "Folders as a zip" }));
  const paths = [...folders.keys()].sort();
  expect(paths.filter((path) => /^train_heap\/2_smith 1boy\/smith-\d\d\.png$/.test(path))).toHaveLength(count);
  expect(paths.filter((path) => /^train_heap\/2_smith 1boy\/smith-\d\d\.txt$/.test(path))).toHaveLength(count);
  expect(paths.filter((path) => /^reg_heap\/1_1boy\/class-\d+\.png$/.test(path))).toHaveLength(2);
  const uncropped = before.find(({ crop, name }) => crop === null && name.startsWith("smith"))!;
  expect(folders.get(`train_heap/2_smith 1boy/${uncropped.name}`)!.equals(readFileSync(join(smith, uncropped.name)))).toBe(true);
  const [download] = await Promise.all([page.waitForEvent("download"), panel.getByRole("button", { name: "Whole set as a zip" }).click()]);
  const whole = info.outputPath("whole.zip");
  await download.saveAs(whole);
  await page.getByRole("button", { name: "New set" }).click();
  await expect(page.locator("[data-picture]")).toHaveCount(0);
  await page.locator("input[type=file]:not([webkitdirectory])").first().setInputFiles(whole);
  await expect(page.locator("[data-picture]")).toHaveCount(count + 2);
  const plain = (pictures: readonly StudioPicture[]) => pictures.map(({ name, original, caption, crop, isMirrored, origin }) => ({ name, original, caption, crop, isMirrored, origin }));
  await expect.poll(async () => (await stored(page)).length).toBe(count + 2);
  expect(plain(await stored(page))).toEqual(plain(before));

  // Trained on, as any folder is.
  await page.getByRole("tab", { name: "Set & files" }).click();
  await panel.getByRole("button", { name: "Train with this set" }).click();
  await expect(page.getByText("2_smith 1boy").first()).toBeVisible();
  await expect(page.getByText("2 regularization pictures")).toBeVisible();
  await page.locator('input[type=file][accept=".safetensors,.ckpt"]').first().setInputFiles(data.model);
  await expect(page.getByText("Stable Diffusion 1.x", { exact: true })).toBeVisible();
  await page.getByText("All", { exact: true }).first().click();
  await set(page, "resolution", "64,64");
  await set(page, "min_bucket_reso", "64");
  await set(page, "sample_prompts", "");
  await set(page, "network_dim", "2");
  await set(page, "max_train_steps", "2");
  await page.getByRole("button", { name: "Start training" }).first().click();
  await expect(page.getByRole("button", { name: /^Download/ })).toBeVisible({ timeout: 400_000 });
});

/** Presses Tab until the element has the focus, as somebody without a mouse does. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let i = 0; i < 120; i++) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab never came to ${String(target)}`);
}

test("the keyboard alone brings pictures in, chooses, tags, crops, undoes and begins the set-up", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await expect(page).toHaveURL(/#\/dataset$/);
  await tabTo(page, page.getByRole("button", { name: "Add files" }));
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press("Enter")]);
  await chooser.setFiles({ name: "heap.zip", mimeType: "application/zip", buffer: zip });
  await expect(page.locator("[data-picture]")).toHaveCount(count);

  const list = page.getByRole("listbox");
  await tabTo(page, list);
  await page.keyboard.press("Home");
  await page.keyboard.press("Shift+ArrowRight");
  await expect(page.getByText("2 selected")).toBeVisible();
  await page.keyboard.press("Delete");
  await expect(page.locator("[data-picture]")).toHaveCount(count - 2);
  await page.keyboard.press("Control+z");
  await expect(page.locator("[data-picture]")).toHaveCount(count);

  await page.keyboard.press("Home");
  await page.keyboard.press("c");
  await expect(page.getByRole("application")).toBeFocused();
  await page.keyboard.press("Shift+ArrowUp");
  await page.keyboard.press("Control+Enter");
  await page.keyboard.press("Escape");
  await expect.poll(async () => (await stored(page)).filter(({ crop }) => crop !== null).length).toBe(1);

  const tab = page.getByRole("tab", { selected: true });
  await tabTo(page, tab);
  for (let i = 0; i < 12 && (await tab.textContent())?.trim() !== "Auto-tag"; i++) await page.keyboard.press("ArrowRight");
  const read = page.getByRole("button", { name: `Read ${count} pictures` });
  await expect(read).toBeEnabled();
  await tabTo(page, read);
  await page.keyboard.press("Enter");
  const write = page.getByRole("button", { name: `Write ${count} captions` });
  await expect(write).toBeEnabled({ timeout: 60_000 });
  await tabTo(page, write);
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await stored(page)).every(({ caption }) => (caption ?? "") !== "")).toBe(true);

  await tabTo(page, tab);
  for (let i = 0; i < 12 && (await tab.textContent())?.trim() !== "Set & files"; i++) await page.keyboard.press("ArrowRight");
  await tabTo(page, page.getByRole("button", { name: "Train with this set" }));
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/#\/train$/);
  await expect(page.getByText(`${count} pictures`).first()).toBeVisible();
});
