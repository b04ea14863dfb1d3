/** A mini checkpoint and a kohya folder, made once per test run. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const bin = join(root, "bin/lorasmith.mjs");

export interface TrainingData {
  readonly model: string;
  /** Parent of `2_sls 1girl`. */
  readonly dataset: string;
  /** Scratch folder. */
  readonly folder: string;
}

export async function makeTrainingData(): Promise<TrainingData> {
  const folder = mkdtempSync(join(tmpdir(), "lorasmith-e2e-data-"));
  const model = join(folder, "mini-sd15.safetensors");
  execFileSync(process.execPath, [bin, "make-checkpoint", "--arch", "mini-sd15", "--seed", "3", "--out", model], { stdio: "pipe" });
  const dataset = join(folder, "set");
  const pictures = join(dataset, "2_sls 1girl");
  mkdirSync(pictures, { recursive: true });
  const sizes: readonly [number, number][] = [[160, 160], [200, 120], [150, 190]];
  for (const [i, [width, height]] of sizes.entries()) {
    // Smooth and lossless: both decoders give the same pixels.
    const pixels = Buffer.from(Uint8Array.from({ length: width * height * 3 }, (_, k) => {
      const [x, y, c] = [Math.floor(k / 3) % width, Math.floor(k / 3 / width), k % 3];
      return 127 + 100 * Math.sin((x * (i + 1) + y * (c + 1)) / 17 + i);
    }));
    const png = await sharp(pixels, { raw: { width, height, channels: 3 } }).png().toBuffer();
    writeFileSync(join(pictures, `picture ${i}.png`), png);
    if (i > 0) writeFileSync(join(pictures, `picture ${i}.txt`), `sls, 1girl, solo, 微笑 ${i}`);
  }
  return { model, dataset, folder };
}
