/** Opens the committed reference files (tests/reference/data). */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { blobSource } from "../../../src/formats/byte-source.ts";
import { openSafetensors, type SafetensorsFile } from "../../../src/formats/safetensors.ts";
import { openCheckpoint } from "../../../src/models/config.ts";
import type { Checkpoint } from "../../../src/models/checkpoint-types.ts";

export function referencePath(name: string): string {
  return fileURLToPath(new URL(`../../reference/data/${name}`, import.meta.url));
}

export async function openReference(name: string): Promise<SafetensorsFile> {
  return openSafetensors(blobSource(new Blob([await readFile(referencePath(name))]), name));
}

export async function openMini(family: "sd1" | "sd2"): Promise<Checkpoint> {
  return openCheckpoint(await openReference(`mini-${family}.safetensors`));
}

export function nhwcToNchw(data: Float32Array, [batch, height, width, channels]: readonly number[]): Float32Array {
  const out = new Float32Array(data.length);
  const plane = height! * width!;
  for (let b = 0; b < batch!; b++) {
    for (let i = 0; i < plane; i++) {
      for (let c = 0; c < channels!; c++) out[(b * channels! + c) * plane + i] = data[(b * plane + i) * channels! + c]!;
    }
  }
  return out;
}
