#!/usr/bin/env node
/**
 * npm run demo: the main job, headless, with nothing at hand. Until a trained demo model ships, the base model is a
 * miniature with random weights, so what this shows is the way from pictures to a LoRA file, not a pretty picture.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensurePackages } from "./lib/packages.mjs";
import { root, runNode } from "./lib/process.mjs";

ensurePackages();
const { default: sharp } = await import("sharp");

const out = join(root, "demo-output");
const pictures = join(out, "dataset", "4_smith apron");
mkdirSync(pictures, { recursive: true });
for (let i = 0; i < 6; i++) {
  const hue = i * 60;
  const [width, height] = i % 2 === 0 ? [160, 160] : [128, 192];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 100 100">
    <rect x="-50" y="-50" width="200" height="200" fill="hsl(${hue} 50% 80%)"/>
    <circle cx="50" cy="40" r="22" fill="hsl(25 60% 70%)"/><rect x="28" y="18" width="44" height="12" fill="#a22"/>
    <rect x="30" y="62" width="40" height="40" fill="#654"/></svg>`;
  writeFileSync(join(pictures, `${i}.png`), await sharp(Buffer.from(svg)).png().toBuffer());
  writeFileSync(join(pictures, `${i}.txt`), `smith, red bandana, apron, background ${i}`);
}

const bin = join(root, "bin/lorasmith.mjs");
const model = join(out, "mini-sd15.safetensors");
const settings = ["resolution=128,128", "min_bucket_reso=64", "max_train_epochs=1", "network_dim=8", "output_name=smith", "seed=1"];
const steps = [
  ["make-checkpoint", "--arch", "mini-sd15", "--seed", "1", "--out", model],
  ["train", "--model", model, "--data", join(out, "dataset"), "--out", out, "--suggested", ...settings.flatMap((s) => ["--set", s])],
  ["inspect", join(out, "smith.safetensors")],
];
for (const args of steps) {
  console.log(`\n> lorasmith ${args.join(" ")}`);
  const code = await runNode([bin, ...args]);
  if (code !== 0) process.exit(code);
}
console.log(`\nThe LoRA is ${join(out, "smith.safetensors")}. The base model is a miniature with random weights: it shows the way, not a picture.`);
