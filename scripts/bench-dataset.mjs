/**
 * How the dataset studio does with a large set, in a real Chromium and the built page: importing, memory, scrolling,
 * filtering. Prints a table, and fails where a limit is passed.
 *
 *   node scripts/bench-dataset.mjs [--count 10000] [--side 512] [--keep FOLDER]
 *
 * `--keep`: where the pictures are made, and used again by a later run.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureChromium } from "./lib/chromium.mjs";
import { ensurePackages } from "./lib/packages.mjs";
import { packageFile, root, runNode } from "./lib/process.mjs";
import { heapWatch } from "./lib/heap-watch.mjs";
import { scriptOf, scriptPerFrame } from "./lib/script-times.mjs";

const { values } = parseArgs({ options: { count: { type: "string", default: "10000" }, side: { type: "string", default: "512" }, keep: { type: "string" } } });
const count = Number(values.count);
const side = Number(values.side);
const limits = { heapMiB: 500, frameMs: 16, filterMs: 50 };

ensurePackages();
const { chromium } = await import("playwright");
const { preview } = await import("vite");
const executablePath = await ensureChromium();
if (executablePath === undefined) {
  console.error("No Chromium could be found or installed");
  process.exit(1);
}
if ((await runNode([packageFile("vite/bin/vite.js"), "build", "--logLevel", "error"])) !== 0) process.exit(1);

const scratch = mkdtempSync(join(tmpdir(), "lorasmith-bench-dataset-"));
const folder = values.keep ?? join(scratch, "pictures");
const bytes = await makePictures(folder);
const server = await preview({ root, preview: { port: 4287, strictPort: true }, logLevel: "error" });
const context = await chromium.launchPersistentContext(join(scratch, "profile"), {
  executablePath, locale: "en-US", viewport: { width: 1280, height: 900 }, args: ["--no-sandbox"],
});
try {
  const page = await context.newPage();
  await page.goto("http://localhost:4287/#/dataset");
  await page.getByRole("button", { name: "Add a folder" }).waitFor();
  const heap = await heapWatch(page);
  const begin = performance.now();
  await page.locator("input[webkitdirectory]").first().setInputFiles(folder);
  const listed = performance.now();
  await page.getByRole("region", { name: "What came in" }).waitFor({ timeout: 3_600_000 });
  const seconds = (performance.now() - listed) / 1000;
  const peak = await heap.stop();
  const shown = await page.getByText(/[\d,]+ pictures? came in/).textContent();
  const came = Number(/[\d,]+/.exec(shown ?? "")?.[0].replaceAll(",", ""));
  if (came !== count) throw new Error(`${came} of ${count} pictures came in`);
  await page.getByRole("region", { name: "What came in" }).getByRole("button", { name: "Dismiss" }).click();
  const frames = await scriptPerFrame(page, ".grid [role='listbox'], .grid *:has(> [role='listbox'])");
  const filters = await filterTimes(page);
  const rows = [
    ["pictures", `${count} of ${side}×${side}, ${(bytes / 2 ** 20).toFixed(0)} MiB, 30 tags each`],
    ["handing the files to the page", `${((listed - begin) / 1000).toFixed(1)} s`],
    ["import", `${seconds.toFixed(1)} s, ${(count / seconds).toFixed(0)} pictures/s, ${(bytes / seconds / 2 ** 20).toFixed(1)} MiB/s`],
    ["peak JS heap, page and workers", `${(peak / 2 ** 20).toFixed(0)} MiB (limit ${limits.heapMiB})`],
    ["script per frame while scrolling", `p50 ${at(frames, 0.5)} ms, p95 ${at(frames, 0.95)} ms, most ${at(frames, 1)} ms of ${frames.length} frames (limit p95 ${limits.frameMs})`],
    ...filters.map(({ text, ms, left }) => [`filter \`${text}\``, `${ms.toFixed(1)} ms, ${left} pictures (limit ${limits.filterMs})`]),
  ];
  console.log(`\n${cpus().length} cores, ${cpus()[0]?.model ?? ""}\n\n| | |\n|---|---|\n${rows.map(([a, b]) => `| ${a} | ${b} |`).join("\n")}\n`);
  const isOver = peak / 2 ** 20 > limits.heapMiB || Number(at(frames, 0.95)) > limits.frameMs || filters.some(({ ms }) => ms > limits.filterMs);
  if (isOver) {
    console.error("A limit was passed");
    process.exitCode = 1;
  }
} finally {
  await context.close();
  await server.close();
  rmSync(scratch, { recursive: true, force: true });
}

/** The value below which this share of all lies. */
function at(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1);
}

/** JPEG files of soft random shapes, each with a caption of 30 tags out of 2000. @returns bytes of all pictures */
async function makePictures(target) {
  const inner = join(target, "10_bench 1girl");
  const done = existsSync(inner) ? readdirSync(inner, { withFileTypes: true }).length : 0;
  const { statSync } = await import("node:fs");
  const name = (i) => join(inner, `${String(i).padStart(5, "0")}.jpg`);
  if (done !== 2 * count) {
    const { default: sharp } = await import("sharp");
    console.log(`Making ${count} pictures in ${target}`);
    mkdirSync(inner, { recursive: true });
    const make = async (i) => {
      const seeds = Buffer.from(Array.from({ length: 8 * 8 * 3 }, (_, at) => (Math.imul(i + 1, 2654435761) ^ Math.imul(at + 7, 40503 + i)) >>> 13 & 255));
      const picture = sharp(seeds, { raw: { width: 8, height: 8, channels: 3 } }).resize(side, side, { kernel: "cubic" });
      writeFileSync(name(i), await picture.jpeg({ quality: 92 }).toBuffer());
      const tags = Array.from({ length: 30 }, (_, at) => `tag ${((i * 31 + at * at * 17 + (at < 6 ? at : i % 97) * 13) >>> 0) % (at < 6 ? 12 : 2000)}`);
      writeFileSync(name(i).replace(/jpg$/, "txt"), tags.join(", "));
    };
    for (let i = 0; i < count; i += 8) await Promise.all(Array.from({ length: Math.min(8, count - i) }, (_, k) => make(i + k)));
  }
  return Array.from({ length: count }, (_, i) => statSync(name(i)).size).reduce((sum, size) => sum + size, 0);
}

/** Script time of typing a filter, up to the changed number of pictures on the page. */
async function filterTimes(page) {
  await page.evaluate(() => {
    globalThis.typeFilter = (text) => {
      const field = document.querySelector("input[type='search']");
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    };
  });
  const status = page.locator(".gallery .state [role='status']");
  const found = [];
  for (const text of ['tag:"tag 7"', 'tag:"tag 12*"', 'NOT tag:"tag 3"', '(tag:"tag 5" OR tag:"tag 50") AND NOT tag:"tag 8" width:>=256', "00042"]) {
    const before = await status.textContent();
    const ms = await scriptOf(page, "typeFilter", text);
    const after = await status.textContent();
    if (after === before) throw new Error(`The filter “${text}” showed no other pictures`);
    found.push({ text, ms, left: /[\d,]+/.exec(after ?? "")?.[0] });
    await scriptOf(page, "typeFilter", "");
  }
  return found;
}
