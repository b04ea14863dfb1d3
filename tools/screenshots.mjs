#!/usr/bin/env node
// Takes pictures of the page, in both languages and themes: the demo's three clicks in Chromium's software WebGPU, all real.
//   npm run build && node tools/screenshots.mjs [folder]
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright";
import { ensureChromium } from "../scripts/lib/chromium.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = process.argv[2] ?? join(root, "docs/images");
mkdirSync(out, { recursive: true });
const port = 4191;
const desk = { width: 1280, height: 900 };
const phone = { width: 390, height: 844 };
/** A software adapter takes its time over the whole demo. */
const patience = 40 * 60_000;

const vite = join(root, "node_modules/vite/bin/vite.js");
const server = spawn(process.execPath, [vite, "preview", "--port", String(port), "--strictPort"], { cwd: root, stdio: "ignore" });
const args = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: await ensureChromium(), args });
try {
  const page = await browser.newPage({ locale: "en-US", viewport: desk });
  page.setDefaultTimeout(patience);
  await retry(() => page.goto(`http://localhost:${port}/`));
  const demo = page.getByRole("button", { name: "Try the demo" });
  await demo.waitFor();
  await shoot(page, "home");

  await demo.click();
  const start = page.locator("aside button.primary:enabled");
  await start.waitFor();
  await shoot(page, "setup");
  await page.setViewportSize(phone);
  await shoot(page, "phone");
  await page.setViewportSize(desk);

  await start.click();
  // The base model's pictures, and those after two epochs.
  const samples = page.getByRole("region", { name: "Samples by prompt and step" }).locator("img");
  await samples.nth(5).waitFor();
  await shoot(page, "run");
  await page.locator("main").getByText("Done", { exact: true }).first().waitFor();
  await shoot(page, "done");

  await page.getByRole("button", { name: "Try it out" }).first().click();
  await page.getByRole("slider", { name: "Divider between base and LoRA" }).waitFor();
  await shoot(page, "test");
} finally {
  await browser.close();
  server.kill();
}

/** English by day, Chinese by night; leaves the page as it was. */
async function shoot(page, name) {
  for (const [label, language, colorScheme] of [["EN", "en", "light"], ["中文", "zh", "dark"]]) {
    await page.getByText(label, { exact: true }).click();
    await page.emulateMedia({ colorScheme });
    await page.mouse.move(0, 0);
    await page.evaluate(() => scrollTo(0, 0));
    // Transitions end, pictures are decoded, a chart is drawn again in the other colours.
    await page.waitForTimeout(1500);
    await page.screenshot({ path: join(out, `${name}-${language}.png`) });
  }
  await page.getByText("EN", { exact: true }).click();
  await page.emulateMedia({ colorScheme: "light" });
}

async function retry(action) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
