/** Tagging in the browser: ONNX Runtime under the page's own policy, captions in the stored dataset. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test, type Locator, type Page } from "playwright/test";
import sharp from "sharp";
import { root } from "./training-data.ts";

const tagger = join(root, "tests/reference/data/tagger");
const files = [join(tagger, "model.onnx"), join(tagger, "selected_tags.csv")];
// From OpenCV, Pillow and ONNX Runtime: tests/reference/make_tagger.py.
const expected = JSON.parse(readFileSync(join(tagger, "expected.json"), "utf8")) as {
  readonly pictures: readonly { readonly width: number; readonly height: number; readonly rgba: string; readonly scores: readonly number[] }[];
};

let dataset: string;
test.beforeAll(async () => {
  dataset = join(mkdtempSync(join(tmpdir(), "lorasmith-tag-")), "set");
  const folder = join(dataset, "2_sls");
  mkdirSync(folder, { recursive: true });
  for (const [i, { width, height, rgba }] of expected.pictures.slice(0, 3).entries()) {
    await sharp(Buffer.from(rgba, "base64"), { raw: { width, height, channels: 4 } }).png().toFile(join(folder, `${i}.png`));
  }
  writeFileSync(join(folder, "1.txt"), "sls, 1girl\n");
});

/** Opens the panel with a tagger of the user's own. */
async function openPanel(page: Page, picked: Parameters<Locator["setInputFiles"]>[0] = files): Promise<Locator> {
  await page.goto("/#/train");
  await page.locator("input[type=file][webkitdirectory]").first().setInputFiles(dataset);
  await page.locator("summary").filter({ hasText: "Tag pictures" }).click();
  const panel = page.locator("details").filter({ has: page.locator("summary").filter({ hasText: "Tag pictures" }) });
  await expect(panel.getByText(/My own|comes without a tagger/).first()).toBeVisible();
  const own = panel.getByText("My own", { exact: true });
  // Only a build with a tagger of its own asks which.
  if (await own.isVisible()) await own.click();
  await panel.locator('input[type=file][accept=".onnx,.csv"]').setInputFiles(picked);
  return panel;
}

/** Captions of all stored datasets, in the order in which they were made. */
function storedCaptions(page: Page): Promise<Record<string, string>[]> {
  return page.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.addEventListener("success", () => resolve(request.result));
        request.addEventListener("error", () => reject(request.error as Error));
      });
    const db = await settled(indexedDB.open("lorasmith"));
    const tx = db.transaction(["datasets", "datasetFiles"]);
    const [sets, rows] = await Promise.all([
      settled<{ id: string; createdAt: number }[]>(tx.objectStore("datasets").getAll()),
      settled<{ datasetId: string; path: string; file: Blob }[]>(tx.objectStore("datasetFiles").getAll()),
    ]);
    db.close();
    const captions = rows.filter(({ path }) => path.endsWith(".txt"));
    return Promise.all(
      sets.toSorted((a, b) => a.createdAt - b.createdAt).map(async ({ id }) =>
        Object.fromEntries(
          await Promise.all(captions.filter(({ datasetId }) => datasetId === id).map(async ({ path, file }) => [path, await file.text()])),
        ),
      ),
    );
  });
}

test("tags pictures, applies thresholds live, writes captions and takes them back", async ({ page }) => {
  const problems: string[] = [];
  page.on("console", (message) => (message.type() === "error" ? problems.push(message.text()) : undefined));
  const panel = await openPanel(page);
  await panel.getByRole("button", { name: "Tag 2 pictures" }).click();
  const first = panel.locator("li p").first();
  await expect(first).toHaveText(/hatsune miku, .*1girl/);
  // Python's scores of the first picture: 2girls 0.83, long hair 0.76.
  await expect(first).toContainText("long hair");
  await panel.getByRole("slider").first().fill("0.8");
  await expect(first).not.toContainText("long hair");
  await expect(first).toContainText("2girls");
  expect((await new AxeBuilder({ page }).include("main").analyze()).violations).toEqual([]);

  await panel.getByRole("button", { name: "Write 2 captions" }).click();
  await expect(panel.getByText("2 captions written.")).toBeVisible();
  await expect(page.getByText("3 pictures · 3 captions")).toBeVisible();
  const kept = "sls, 1girl\n";
  const [written] = await storedCaptions(page);
  expect(written).toMatchObject({ "set/2_sls/0.txt": `${await first.innerText()}\n`, "set/2_sls/1.txt": kept });
  await panel.getByRole("button", { name: "Undo" }).click();
  await expect(page.getByText("3 pictures · 1 caption", { exact: true })).toBeVisible();
  expect(await storedCaptions(page)).toEqual([{ "set/2_sls/1.txt": kept }]);
  expect(problems).toEqual([]);
});

test("leaves the captions of a run that may continue as they are", async ({ page }) => {
  const panel = await openPanel(page);
  await panel.getByRole("button", { name: "Tag 2 pictures" }).click();
  await expect(panel.locator("li p").first()).toBeVisible();
  await page.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve) => request.addEventListener("success", () => resolve(request.result)));
    const db = await settled(indexedDB.open("lorasmith"));
    const tx = db.transaction(["datasets", "runs"], "readwrite");
    const [set] = await settled<{ id: string }[]>(tx.objectStore("datasets").getAll());
    await settled(tx.objectStore("runs").put({ id: "a", state: "paused", datasetId: set!.id }));
    db.close();
  });
  await panel.getByRole("button", { name: "Write 2 captions" }).click();
  await expect(panel.getByText("2 captions written.")).toBeVisible();
  const captions = await storedCaptions(page);
  expect(captions.map((set) => Object.keys(set).length)).toEqual([1, 3]);
});

test("says what is wrong with files that are no tagger, and takes others", async ({ page }) => {
  const model = (buffer: Buffer) => ({ name: "model.onnx", mimeType: "application/octet-stream", buffer });
  const labels = { name: "selected_tags.csv", mimeType: "text/csv", buffer: readFileSync(files[1]!) };
  const panel = await openPanel(page, [model(Buffer.from("no model")), labels]);
  const run = panel.getByRole("button", { name: "Tag 2 pictures" });
  const input = panel.locator('input[type=file][accept=".onnx,.csv"]');
  await run.click();
  await expect(panel.getByText(/model\.onnx cannot be loaded as an ONNX model/)).toBeVisible();
  await input.setInputFiles([join(tagger, "nchw.onnx")]);
  await run.click();
  await expect(panel.getByText(/nchw\.onnx is no tagger of this kind/)).toBeVisible();
  await input.setInputFiles([{ ...labels, buffer: Buffer.from("tag_id,name,category\n1,solo\n") }]);
  await run.click();
  await expect(panel.getByText(/selected_tags\.csv, line 2 cannot be used as a list of tags/)).toBeVisible();
  await input.setInputFiles(files);
  await run.click();
  await expect(panel.locator("li p").first()).toHaveText(/hatsune miku/);
});
