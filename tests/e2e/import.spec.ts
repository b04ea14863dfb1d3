/** Pictures into a set and out of it in real Chromium: archives, drops, pastes; reports, folders, numbers, and back. */
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test, type Page } from "playwright/test";
import sharp from "sharp";
import { makeZip } from "../unit/harness/make-zip.ts";

const draw = (seed: number, width = 300, height = 260) =>
  sharp(Buffer.from(Array.from({ length: 4 * 4 * 3 }, (_, at) => (seed * 97 + at * 61 * (seed + 3)) % 256)), { raw: { width: 4, height: 4, channels: 3 } })
    .resize(width, height, { kernel: "cubic" });
const png = (seed: number, width?: number, height?: number): Promise<Buffer> => draw(seed, width, height).png().toBuffer();

interface StoredPicture {
  readonly name: string;
  readonly original: string;
  readonly width: number;
  readonly height: number;
  readonly caption: string | null;
  readonly isMirrored: boolean;
}

/** The open set's folders and pictures as they are stored, without ids. */
function stored(page: Page): Promise<{ subsets: string[]; pictures: StoredPicture[] }> {
  return page.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.addEventListener("success", () => resolve(request.result));
        request.addEventListener("error", () => reject(request.error as Error));
      });
    const db = await settled(indexedDB.open("lorasmith"));
    const [set] = (await settled<{ id: string; createdAt: number; subsets: Record<string, unknown>[] }[]>(db.transaction("sets").objectStore("sets").getAll()))
      .toSorted((a, b) => b.createdAt - a.createdAt);
    const rows = await settled<(StoredPicture & { setId: string })[]>(db.transaction("setPictures").objectStore("setPictures").getAll());
    db.close();
    const pictures = rows.filter(({ setId }) => setId === set?.id).map(({ name, original, width, height, caption, isMirrored }) => ({ name, original, width, height, caption, isMirrored }));
    const subsets = (set?.subsets ?? []).map(({ isReg, repeats, identifier, className }) => [isReg, repeats, identifier, className].join(" · "));
    return { subsets, pictures: pictures.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
  });
}

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
}

test("an archive comes in with a report, is balanced, goes out whole, comes back the same, and is trained from", async ({ page }) => {
  await page.addInitScript(() => Reflect.deleteProperty(globalThis, "showSaveFilePicker"));
  const zip = Buffer.from(makeZip([
    { name: "girls/10_sls 1girl/a.png", data: await png(1) }, { name: "girls/10_sls 1girl/a.txt", data: Buffer.from("c5aebaa22c20b3a4b7a2", "hex") },
    { name: "girls/10_sls 1girl/same.png", data: await png(1) }, { name: "girls/10_sls 1girl/tiny.webp", data: await draw(2, 90, 80).webp().toBuffer() },
    { name: "girls/10_sls 1girl/turned.jpg", data: await draw(3).withMetadata({ orientation: 6 }).jpeg().toBuffer() },
    { name: "girls/10_sls 1girl/still.gif", data: await draw(4).gif().toBuffer() },
    { name: "girls/10_sls 1girl/broken.png", data: "not a picture" },
    { name: "../../reg_girls/1_1girl/class.png", data: await png(5) },
  ]));
  await page.goto("/#/dataset");
  await page.locator("input[type=file]:not([webkitdirectory])").first().setInputFiles({ name: "girls.zip", mimeType: "application/zip", buffer: zip });
  const report = page.getByRole("region", { name: "What came in" });
  await expect(report).toContainText("5 pictures came in.");
  for (const line of ["Could not be read: 1", "In the set already: 1", "Smaller than half the training resolution: 1", "Captions in another encoding, now UTF-8: 1", "made safe: 1"]) {
    await expect(report).toContainText(line);
  }
  await report.getByText("Could not be read: 1").click();
  await expect(report).toContainText("broken.png cannot be read as a picture");
  await expectAccessible(page);
  const first = await stored(page);
  expect(first.subsets).toEqual(["false · 10 · sls · 1girl", "true · 1 ·  · 1girl"]);
  expect(first.pictures.map(({ name, width, height, caption }) => [name, width, height, caption])).toEqual([
    ["a.png", 300, 260, "女孩, 长发"], ["class.png", 300, 260, null], ["still.gif", 300, 260, null], ["tiny.webp", 90, 80, null], ["turned.jpg", 260, 300, null],
  ]);
  await report.getByRole("button", { name: "Dismiss" }).click();

  // By keyboard: the tabs, and a folder's number of repeats.
  await page.getByRole("tab", { name: "Picture" }).focus();
  for (let i = 0; i < 12 && !(await page.getByRole("tab", { name: "Folders" }).getAttribute("aria-selected").then((is) => is === "true")); i++) await page.keyboard.press("ArrowRight");
  await expect(page.getByText("40 showings of training pictures and 40 of regularization pictures in an epoch")).toBeVisible();
  await page.getByLabel("Repeats").first().fill("3");
  await page.keyboard.press("Tab");
  await expect(page.getByText("12 showings of training pictures and 12 of regularization pictures in an epoch")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("tab", { name: "Numbers" }).click();
  await expect(page.getByRole("row", { name: /long|长发/ })).toBeVisible();
  await expectAccessible(page);

  await page.getByRole("tab", { name: "Set & files" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Whole set as a zip" }).click()]);
  const before = await stored(page);
  await page.getByRole("button", { name: "New set" }).click();
  await page.getByRole("heading", { name: "Begin with pictures" }).waitFor();
  await page.locator("input[type=file]:not([webkitdirectory])").first().setInputFiles(await download.path());
  await expect(report).toContainText("5 pictures came in.");
  await expect.poll(() => stored(page)).toEqual(before);

  await page.getByRole("tab", { name: "Set & files" }).click();
  await page.getByRole("button", { name: "Train with this set" }).click();
  await expect(page.getByRole("heading", { name: "Train a LoRA" })).toBeVisible();
  await expect(page.getByText("4 pictures · 1 caption · 1 regularization picture")).toBeVisible();
  await expect(page.getByText("train_girls/3_sls 1girl", { exact: true })).toBeVisible();
});

test("pictures are dropped and pasted on a phone's page, a split is taken back, and an import as well", async ({ browser, baseURL }) => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, locale: "zh-CN", baseURL: baseURL! });
  const page = await context.newPage();
  await page.goto("/#/dataset");
  await page.getByRole("button", { name: "添加文件夹" }).waitFor();
  const give = (kind: "drop" | "paste", files: readonly (readonly [string, Buffer])[]): Promise<void> =>
    page.evaluate(([kind, list]) => {
      const transfer = new DataTransfer();
      for (const [name, base64] of list) {
        transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name, { type: "image/png" }));
      }
      const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    }, [kind, files.map(([name, bytes]) => [name, bytes.toString("base64")] as const)] as const);
  await give("drop", [["一.png", await png(11, 600, 600)], ["二.png", await png(12, 600, 640)], ["三.png", await png(13, 640, 600)]]);
  const report = page.getByRole("region", { name: "导入结果" });
  await expect(report).toContainText("导入了 3 张图片。");
  await give("paste", [["image.png", await png(14, 600, 700)]]);
  await expect(report).toContainText("导入了 1 张图片。");
  expect((await stored(page)).pictures.map(({ name }) => name)).toContainEqual(expect.stringMatching(/^pasted-\d{4}-\d\d-\d\d-\d{6}\.png$/));
  await expectAccessible(page);
  await page.getByRole("tab", { name: "文件夹" }).click();
  await page.getByRole("button", { name: "二分" }).click();
  await expect.poll(async () => (await stored(page)).subsets).toHaveLength(2);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await page.keyboard.press("Control+z");
  await expect.poll(async () => (await stored(page)).subsets).toHaveLength(1);
  await page.keyboard.press("Control+z");
  await expect.poll(async () => (await stored(page)).pictures).toHaveLength(3);
  await context.close();
});
