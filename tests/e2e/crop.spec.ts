/** Cropping in the dataset studio: by hand with pointer and keys, and many at once. */
import { readFileSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import { BlobReader, BlobWriter, ZipReader } from "@zip.js/zip.js";
import { expect, test, type Page } from "playwright/test";
import sharp from "sharp";
import { openStudioWith } from "./studio-data.ts";

const pictures = [
  { name: "a wide.png", width: 1200, height: 800, subject: [0.8, 0.5], caption: "1girl, sls" },
  { name: "b turned.jpg", width: 700, height: 1100, subject: [0.5, 0.25], caption: "1girl, heterochromia", isTurned: true },
  { name: "c long.png", width: 400, height: 1600, subject: [0.5, 0.7] },
] as const;

interface StoredCrop {
  readonly name: string;
  readonly crop: { readonly x: number; readonly y: number; readonly width: number; readonly height: number; readonly target?: unknown } | null;
}

/** What the browser has stored of the set's pictures, by name. */
async function stored(page: Page): Promise<StoredCrop[]> {
  const rows = await page.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.addEventListener("success", () => resolve(request.result));
        request.addEventListener("error", () => reject(request.error as Error));
      });
    const db = await settled(indexedDB.open("lorasmith"));
    const found = await settled<StoredCrop[]>(db.transaction("setPictures").objectStore("setPictures").getAll());
    db.close();
    return found.map(({ name, crop }) => ({ name, crop }));
  });
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Files of an archive by path. */
async function unzipped(path: string): Promise<Map<string, Buffer>> {
  const reader = new ZipReader(new BlobReader(new Blob([readFileSync(path)])));
  const files = new Map<string, Buffer>();
  for (const entry of await reader.getEntries()) {
    if (!entry.directory) files.set(entry.filename, Buffer.from(await (await entry.getData(new BlobWriter())).arrayBuffer()));
  }
  return files;
}

async function expectNoViolations(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([]);
}

test("a picture is cropped by hand: with the pointer, with keys alone, and taken back", async ({ page }) => {
  await openStudioWith(page, pictures);
  await page.getByRole("option", { name: "a wide.png" }).click();
  await page.keyboard.press("c");
  const dialog = page.getByRole("dialog", { name: "Crop a wide.png" });
  await expect(dialog.getByText("Trained as 640×384")).toBeVisible();
  await expect(dialog.getByText("cuts 39 px at the top and 41 px at the bottom")).toBeVisible();
  await expectNoViolations(page);

  // Drawn anew over the right half.
  const box = (await dialog.locator("img").boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.55, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + box.height * 0.7, { steps: 4 });
  await page.mouse.move(box.x + box.width + 40, box.y + box.height + 40);
  await page.mouse.up();
  const area = dialog.getByRole("application");
  await expect(area).toBeFocused();
  await expect(dialog.getByLabel("Width", { exact: true })).toHaveValue(/^5[34]\d$/);

  // A handle is pulled.
  const handle = (await dialog.locator("[data-edge=nw]").boundingBox())!;
  const corner = { x: handle.x + handle.width / 2, y: handle.y + handle.height / 2 };
  await page.mouse.move(corner.x, corner.y);
  await page.mouse.down();
  await page.mouse.move(corner.x - box.width / 4, corner.y + box.height / 4, { steps: 3 });
  await page.mouse.up();
  await expect(dialog.getByLabel("From left")).toHaveValue(/^3[5-6]\d$/);

  // The rest with keys: the bucket's shape, smaller, further to the left, applied.
  await dialog.getByLabel("Shape").selectOption("As its bucket: nothing is cut");
  await expect(dialog.getByText("cuts nothing")).toBeVisible();
  await dialog.getByLabel("Shape").selectOption("Square");
  await area.focus();
  for (let i = 0; i < 4; i++) await page.keyboard.press("Shift+ArrowLeft");
  const before = Number(await dialog.getByLabel("From left").inputValue());
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Alt+ArrowLeft");
  await expect(dialog.getByLabel("From left")).toHaveValue(String(before - 9));
  const width = Number(await dialog.getByLabel("Width", { exact: true }).inputValue());
  await page.keyboard.press("Control+Enter");

  // On to the next one, which shows upright, and out of it without a change.
  await expect(page.getByRole("dialog", { name: "Crop b turned.jpg" })).toBeVisible();
  await expect(page.getByLabel("Height", { exact: true })).toHaveValue("1100");
  await expect(page.getByRole("application")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(page.getByRole("status").filter({ hasText: "Cropped pictures: 1" })).toBeVisible();
  expect(await stored(page)).toMatchObject([{ crop: { x: before - 9, width, height: width } }, { crop: null }, { crop: null }]);

  await page.reload();
  await page.locator("[data-picture]").first().waitFor();
  await page.getByRole("button", { name: "Undo" }).first().click();
  await expect.poll(async () => (await stored(page))[0]?.crop).toBeNull();
});

test("many are cropped around what they are about, after a look, on a phone and in Chinese", async ({ browser, baseURL }) => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, locale: "zh-CN", baseURL: baseURL! });
  const page = await context.newPage();
  // A test cannot answer the browser's own dialog.
  await page.addInitScript(() => Reflect.deleteProperty(globalThis, "showSaveFilePicker"));
  await openStudioWith(page, pictures);
  await page.getByRole("tab", { name: "裁剪" }).click();
  await page.getByLabel("方式").selectOption("统一尺寸，围绕焦点");
  await expectNoViolations(page);
  await page.getByRole("button", { name: "为 3 张寻找裁剪" }).click();
  const review = page.getByRole("dialog", { name: "找到裁剪：3" });
  await expect(review).toBeVisible();
  await expectNoViolations(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await review.getByRole("checkbox", { name: "c long.png" }).uncheck();
  await review.getByRole("button", { name: "裁剪 2 张图片" }).click();
  const target = { width: 512, height: 512 };
  await expect.poll(async () => (await stored(page)).filter(({ crop }) => crop !== null)).toHaveLength(2);
  const [wide, turned, long] = await stored(page);
  expect(wide?.crop).toMatchObject({ y: 0, width: 800, height: 800, target });
  // The discs are at 960 of 1200 and, in the picture as it is shown, at 275 of 1100.
  expect(wide!.crop!.x).toBeGreaterThan(300);
  expect(turned?.crop).toMatchObject({ x: 0, width: 700, height: 700, target });
  expect(turned!.crop!.y).toBeLessThan(100);
  expect(long?.crop).toBeNull();

  // Trainers get what the crop says: the disc is in the middle of its picture, and what was left alone is untouched.
  await page.getByRole("tab", { name: "图集与文件" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "文件夹打包为 zip" }).click()]);
  const files = await unzipped(await download.path());
  const names = [...files.keys()].filter((name) => !name.endsWith(".txt")).sort();
  expect(names).toEqual([expect.stringMatching(/a wide\.png$/), expect.stringMatching(/b turned\.png$/), expect.stringMatching(/c long\.png$/)]);
  const [first, second, third] = names.map((name) => files.get(name)!);
  expect(await sharp(third).metadata()).toMatchObject({ width: 400, height: 1600 });
  for (const [file, x, y] of [[first!, ((960 - wide!.crop!.x) * 512) / 800, 256], [second!, 256, ((275 - turned!.crop!.y) * 512) / 700]] as const) {
    const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([512, 512]);
    // Left and right of the hub, between spokes, it is yellow; at the rim of the picture it is not.
    const red = (px: number, py: number): number => data[(Math.round(py) * 512 + Math.round(px)) * 3]! - data[(Math.round(py) * 512 + Math.round(px)) * 3 + 2]!;
    expect(Math.max(red(x - 60, y), red(x - 60, y + 12))).toBeGreaterThan(100);
    expect(red(8, 8)).toBeLessThan(50);
  }

  await page.getByRole("tab", { name: "裁剪" }).click();
  // What is left is split, its parts added and taken back together.
  await page.getByLabel("方式").selectOption("切分长图");
  await page.getByRole("button", { name: "为 3 张寻找裁剪" }).click();
  await page.getByRole("button", { name: "裁剪 1 张图片" }).click();
  await expect(page.locator("[data-picture]")).toHaveCount(7);
  await page.getByRole("button", { name: "撤销" }).first().click();
  await expect(page.locator("[data-picture]")).toHaveCount(3);
  await context.close();
});
