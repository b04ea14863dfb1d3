#!/usr/bin/env node
/**
 * npm run demo: the main job, headless, with nothing at hand. Trains the embedded model on the embedded pictures of Smith
 * and draws the same prompts without and with the LoRA.
 *
 *   npm run demo [-- pixel-art]      the second dataset instead
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensurePackages } from "./lib/packages.mjs";
import { root, runNode } from "./lib/process.mjs";

ensurePackages();
const { default: sharp } = await import("sharp");

const demo = join(root, "public/demo");
const manifest = JSON.parse(readFileSync(join(demo, "manifest.json"), "utf8"));
const wanted = process.argv[2] ?? manifest.datasets[0].id;
const dataset = manifest.datasets.find(({ id }) => id === wanted);
if (dataset === undefined) {
  console.error(`There is no demo dataset "${wanted}". There are: ${manifest.datasets.map(({ id }) => id).join(", ")}.`);
  process.exit(2);
}
const settings = { ...manifest.settings, ...dataset.settings };
const out = join(root, "demo-output");
const bin = join(root, "bin/lorasmith.mjs");
const model = join(demo, manifest.model.path);
const lora = join(out, `${settings.output_name}.safetensors`);
mkdirSync(out, { recursive: true });

/** Kohya's prompt lines, each with its own fixed seed. */
const general = manifest.prompts[0];
const prompts = dataset.prompts.map(({ prompt, ...own }, i) => {
  const { negative, width, height, steps, cfg, sampler, seed } = { ...general, ...own };
  const flags = { n: negative, w: width, h: height, s: steps, l: cfg, d: seed + i, ss: sampler };
  return [prompt, ...Object.entries(flags).filter(([, value]) => value !== "").map(([flag, value]) => `--${flag} ${value}`)].join(" ");
});
const promptFile = join(out, "prompts.txt");
writeFileSync(promptFile, `${prompts.join("\n")}\n`);

const sets = Object.entries({ ...settings, sample_prompts: "" }).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
const before = join(out, "before");
const after = join(out, "after");
const draw = (folder, ...more) => ["sample", "--model", model, "--prompts", promptFile, "--out", folder, ...more];
for (const args of [
  ["train", "--model", model, "--data", join(demo, dataset.id), "--out", out, "--suggested", ...sets],
  ["inspect", lora],
  draw(before),
  draw(after, "--lora", lora),
]) {
  console.log(`\n> lorasmith ${args.join(" ")}`);
  const code = await runNode([bin, ...args]);
  if (code !== 0) process.exit(code);
}

const picture = join(out, "before-after.png");
await compare(picture);
console.log(`
The LoRA:      ${lora}
The pictures:  ${picture}

Look at before-after.png: the first row is the base model, the second the same prompts and seeds with the LoRA.
${dataset.prompts.map(({ prompt }, i) => `  ${i + 1}. ${prompt}`).join("\n")}
Prompts with "${dataset.trigger}" should now show what the pictures taught; the others should be as they were.
npm start opens the same in the browser, with a slider for the LoRA's weight.`);

/** Two rows, twice as large, so that small pictures are not lost on a screen. */
async function compare(path) {
  const size = 256;
  const gap = 8;
  const tiles = await Promise.all(
    [before, after].flatMap((folder, row) =>
      prompts.map(async (_, column) => ({
        input: await sharp(join(folder, `${String(column).padStart(2, "0")}.png`)).resize(size, size, { kernel: "lanczos3" }).toBuffer(),
        left: gap + column * (size + gap),
        top: gap + row * (size + gap),
      })),
    ),
  );
  const width = gap + prompts.length * (size + gap);
  const canvas = sharp({ create: { width, height: gap + 2 * (size + gap), channels: 3, background: "#f7f5f2" } });
  await canvas.composite(tiles).png().toFile(path);
}
