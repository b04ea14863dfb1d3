/** What several browser tests do to the Train screen. */
import { expect, type Page } from "playwright/test";

/** A drag from the desktop: the browser itself reads the folder. */
export async function dropFolder(page: Page, selector: string, path: string): Promise<void> {
  const zone = page.locator(selector);
  await expect(zone).toBeVisible();
  await zone.scrollIntoViewIfNeeded();
  // Cards above may still be growing: drop where the zone has come to rest.
  let box = await zone.boundingBox();
  for (let before: typeof box = null; JSON.stringify(before) !== JSON.stringify(box); ) {
    before = box;
    await page.waitForTimeout(300);
    box = await zone.boundingBox();
  }
  if (box === null) throw new Error(`nothing to drop on: ${selector}`);
  const cdp = await page.context().newCDPSession(page);
  const drag = { x: box.x + box.width / 2, y: box.y + box.height / 2, data: { items: [], files: [path], dragOperationsMask: 1 } };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) await cdp.send("Input.dispatchDragEvent", { type, ...drag });
}

/** Types or chooses a setting's value, and leaves the field. */
export async function set(page: Page, key: string, value: string): Promise<void> {
  const field = page.locator(`#set-${key}`);
  const kind = await field.evaluate((element) => (element instanceof HTMLInputElement ? element.type : element.tagName));
  if (kind === "SELECT") await field.selectOption(value);
  else if (kind === "checkbox") await field.setChecked(value === "true");
  else {
    await field.fill(value);
    await field.blur();
  }
}

/** Hands files over as the pickers do. */
export async function pick(page: Page, model: string | undefined, dataset?: string): Promise<void> {
  if (model !== undefined) await page.locator('input[type=file][accept=".safetensors,.ckpt"]').first().setInputFiles(model);
  if (dataset !== undefined) await page.locator("input[type=file][webkitdirectory]").first().setInputFiles(dataset);
}
