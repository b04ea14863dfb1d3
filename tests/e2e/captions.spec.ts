/** Captions in the dataset studio: by hand, in bulk, merged into a trigger, by groups; by keyboard, in both languages. */
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test, type Page } from "playwright/test";
import { openStudioWith } from "./studio-data.ts";

const captions = ["1boy, cooking, facial hair, smile", "1boy, facial_hair, outdoors", "1boy, glove, facial hair", "1boy, gloves, smile"];
const pictures = captions.map((caption, index) => ({ name: `${index}.png`, width: 96, height: 64 + 8 * index, subject: [0.5, 0.5] as const, caption }));

function stored(page: Page): Promise<(string | null)[]> {
  return page.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.addEventListener("success", () => resolve(request.result));
        request.addEventListener("error", () => reject(request.error as Error));
      });
    const db = await settled(indexedDB.open("lorasmith"));
    const rows = await settled<{ name: string; caption: string | null }[]>(db.transaction("setPictures").objectStore("setPictures").getAll());
    db.close();
    return rows.toSorted((a, b) => a.name.localeCompare(b.name)).map(({ caption }) => caption);
  });
}
const expectStored = (page: Page, expected: (string | null)[]) => expect.poll(() => stored(page)).toEqual(expected);

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
}

test("a caption is edited by keyboard: chips, completion, next picture, undo", async ({ page }) => {
  await openStudioWith(page, pictures);
  await page.getByRole("listbox", { name: "Pictures of the set" }).focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  const field = page.getByRole("combobox", { name: "Add tags" });
  await expect(field).toBeFocused();
  await page.keyboard.type("my own, apr");
  await expect(page.getByRole("option", { name: /^apron/ })).toBeVisible();
  await expectAccessible(page);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expectStored(page, ["1boy, cooking, facial hair, smile, my own, apron", ...captions.slice(1)]);
  // From the empty field to the chips: one goes, one moves, one is written anew.
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Alt+ArrowLeft");
  await page.keyboard.press("Control+ArrowUp");
  await page.keyboard.press("Enter");
  await page.keyboard.type("mine, too");
  await page.keyboard.press("Enter");
  await expectStored(page, ["mine, too, 1boy, cooking, facial hair, smile", ...captions.slice(1)]);
  await page.keyboard.press("Control+z");
  await expectStored(page, ["my own, 1boy, cooking, facial hair, smile", ...captions.slice(1)]);
  await field.focus();
  await page.keyboard.type("fire");
  await page.keyboard.press("Control+Enter");
  await expect(field).toBeFocused();
  await field.fill("forge,");
  await expect(field).toHaveValue("");
  await expectStored(page, ["my own, 1boy, cooking, facial hair, smile, fire", "1boy, facial_hair, outdoors, forge", ...captions.slice(2)]);
  // As text: what was written is kept when another picture is chosen.
  await page.getByText("Text", { exact: true }).click();
  await page.getByRole("textbox", { name: "Caption" }).fill("a smith\nsecond line");
  await page.getByRole("option", { name: "2.png" }).click();
  await expectStored(page, ["my own, 1boy, cooking, facial hair, smile, fire", "a smith\nsecond line", ...captions.slice(2)]);
  await expect(page.getByRole("textbox", { name: "Caption" })).toHaveValue(captions[2]!);
});

test("a filter narrows what is changed in bulk, and a pattern that never ends is stopped", async ({ page }) => {
  await openStudioWith(page, pictures);
  await page.getByRole("tab", { name: "Tags" }).click();
  await page.getByRole("button", { name: "smile: 2 pictures. Press to show only these." }).click();
  await expect(page.getByText("2 of 4 pictures")).toBeVisible();
  await page.getByRole("button", { name: "Change many…" }).click();
  const dialog = page.getByRole("dialog", { name: "Change many captions" });
  await dialog.getByLabel("Tags, separated by commas").fill("sls");
  await expect(dialog.getByText("2 of 2 captions change.")).toBeVisible();
  await expectAccessible(page);
  await dialog.getByRole("combobox", { name: "What to do" }).selectOption("replacePattern");
  await dialog.getByLabel("Pictures").selectOption("all");
  await dialog.getByLabel("Regular expression").fill("(.|\\w|\\S)*!");
  await expect(dialog.getByRole("alert")).toContainText("was stopped. Nothing was changed.");
  await dialog.getByLabel("Regular expression").fill("facial.hair");
  await dialog.getByLabel("Becomes").fill("beard");
  await dialog.getByRole("button", { name: "Change 3 captions" }).click();
  const changed = ["1boy, cooking, beard, smile", "1boy, beard, outdoors", "1boy, glove, beard", captions[3]!];
  await expectStored(page, changed);
  await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
  await expectStored(page, captions);
  await page.getByRole("searchbox", { name: "Filter" }).fill("tag:smile AND (");
  await expect(page.getByText("Something to look for is missing at character 16.")).toBeVisible();
});

test("keywords are merged step by step, and pictures are grouped, in Chinese on a phone", async ({ browser }) => {
  const context = await browser.newContext({ locale: "zh-CN", viewport: { width: 390, height: 844 }, hasTouch: true });
  const page = await context.newPage();
  await openStudioWith(page, pictures);
  await page.getByRole("tab", { name: "标签" }).click();
  await page.getByRole("button", { name: "关键词合并…" }).click();
  const dialog = page.getByRole("dialog", { name: "关键词合并" });
  await dialog.getByLabel("触发词").fill("Smith");
  await page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "勾选建议的标签（2）" }).click();
  await expect(dialog.getByRole("checkbox", { name: /facial hair/ })).toBeChecked();
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "下一步" }).click();
  await dialog.getByRole("button", { name: "+ glove → gloves" }).click();
  await dialog.getByRole("button", { name: "下一步" }).click();
  await expect(dialog.getByText("3.png 缺少 facial hair")).toBeVisible();
  await dialog.getByRole("button", { name: "合并", exact: true }).click();
  const merged = ["Smith, cooking, smile", "Smith, outdoors", "Smith, gloves", "Smith, gloves, smile"];
  await expectStored(page, merged);
  // The rule is kept: there is nothing left for it to do.
  await page.getByRole("button", { name: "关键词合并…" }).click();
  await expect(dialog.getByText("所有标注都已符合规则。")).toBeVisible();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "全选", exact: true }).click();
  await page.getByRole("tab", { name: "编组" }).click();
  await page.getByLabel("关键词").fill("front");
  await page.getByRole("button", { name: "把选中的 4 张编为一组" }).click();
  await expectStored(page, merged.map((caption) => caption.replace("Smith", "Smith, front")));
  await expectAccessible(page);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow).toBe(0);
  await context.close();
});
