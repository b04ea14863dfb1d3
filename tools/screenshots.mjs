#!/usr/bin/env node
// Takes the README's pictures of the page: a real run on a mini checkpoint in Chromium's software WebGPU.
//   npm run build && node tools/screenshots.mjs [folder]
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright";
import sharp from "sharp";
import { ensureChromium } from "../scripts/lib/chromium.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = process.argv[2] ?? join(root, "docs/images");
const work = mkdtempSync(join(tmpdir(), "lorasmith-shots-"));
const port = 4191;

const model = join(work, "mini-sd15.safetensors");
execFileSync(process.execPath, [join(root, "bin/lorasmith.mjs"), "make-checkpoint", "--arch", "mini-sd15", "--seed", "3", "--out", model]);
const folder = join(work, "teapots", "10_sls teapot");
mkdirSync(folder, { recursive: true });
for (let i = 0; i < 10; i++) {
  // Drawn here, so that nobody's pictures are shipped.
  const hue = (i * 67) % 360;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="256" height="${i % 3 === 0 ? 320 : 256}" viewBox="0 0 256 256">
    <rect x="-50" y="-50" width="400" height="400" fill="hsl(${hue} 45% 82%)"/>
    <ellipse cx="128" cy="150" rx="${62 + i * 2}" ry="52" fill="hsl(${(hue + 180) % 360} 55% 45%)"/>
    <path d="M186 132 q44 -22 50 -52" stroke="hsl(${(hue + 180) % 360} 55% 45%)" stroke-width="16" fill="none"/>
    <path d="M70 122 q-54 24 4 62" stroke="hsl(${(hue + 180) % 360} 55% 38%)" stroke-width="12" fill="none"/>
    <ellipse cx="128" cy="100" rx="42" ry="9" fill="hsl(${(hue + 180) % 360} 55% 34%)"/><circle cx="128" cy="86" r="9" fill="#333"/></svg>`;
  writeFileSync(join(folder, `teapot ${i}.png`), await sharp(Buffer.from(svg)).png().toBuffer());
  writeFileSync(join(folder, `teapot ${i}.txt`), `sls, teapot, simple background, ${i % 2 ? "round" : "tall"}`);
}

const server = spawn(process.execPath, [join(root, "node_modules/vite/bin/vite.js"), "preview", "--port", String(port), "--strictPort"], { cwd: root, stdio: "ignore" });
const args = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: await ensureChromium(), args });
try {
  for (const [locale, name, colorScheme] of [["en-US", "en", "light"], ["zh-CN", "zh", "dark"]]) {
    const page = await browser.newPage({ locale, colorScheme, viewport: { width: 1280, height: 900 } });
    await retry(() => page.goto(`http://localhost:${port}/#/train`));
    await page.locator('input[type=file][accept=".safetensors"]').first().setInputFiles(model);
    await page.locator("input[type=file][webkitdirectory]").first().setInputFiles(join(work, "teapots"));
    const [basic, all] = [page.getByText(/^(Basic|基础|常用)$/).first(), page.getByText(/^(All|全部)$/).first()];
    await all.click();
    await page.locator("#set-min_bucket_reso").fill("64");
    await page.locator("#set-min_bucket_reso").blur();
    await basic.click();
    await page.locator("#set-resolution").fill("128,128");
    await page.locator("#set-max_train_epochs").fill("1");
    await page.locator("#set-max_train_epochs").blur();
    await page.waitForTimeout(4000);
    await page.screenshot({ path: join(out, `setup-${name}.png`) });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.waitForTimeout(500);
    await page.screenshot({ path: join(out, `phone-${name}.png`) });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.locator("aside button.primary, aside .btn.primary").first().click();
    await page.waitForFunction(() => Number(document.querySelector("main dl dd")?.textContent) >= 24, undefined, { timeout: 900_000 });
    await page.screenshot({ path: join(out, `run-${name}.png`) });
    await page.close();
  }
} finally {
  await browser.close();
  server.kill();
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
