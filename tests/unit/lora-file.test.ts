import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import type { SavePrecision } from "../../src/lora/file.ts";
import { writeLoraFile } from "../../src/lora/file.ts";
import { plainModule, type PlainModule } from "./lora-module.ts";
import { readLora } from "./read-lora.ts";

interface HashCase {
  savePrecision: SavePrecision;
  modules: number;
  rank: number;
  width: number;
  metadata: Record<string, string>;
  sshs_model_hash: string;
  sshs_legacy_hash: string;
}

const { hashes } = JSON.parse(readFileSync(new URL("fixtures/formats.json", import.meta.url), "utf8")) as {
  hashes: HashCase[];
};

/** The tensors of make_format_fixtures.py. */
function recipeModules({ modules, rank, width }: { modules: number; rank: number; width: number }): PlainModule[] {
  const count = rank * width;
  const values = (start: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => ((((start + i) * 37) % 1001) - 500) / 1024);
  return Array.from({ length: modules }, (_, index) => plainModule({
    name: `lora_unet_module_${index}`,
    down: values(2 * index * count),
    up: values((2 * index + 1) * count),
    alpha: rank / 2,
    rank,
    in: width,
    out: width,
    fileRank: 2,
    kernel: 1,
  }));
}

function open(bytes: Uint8Array<ArrayBuffer>) {
  return openSafetensors(blobSource(new Blob([bytes]), "test.safetensors"));
}

describe("a written LoRA", () => {
  test.each(hashes)("has sd-scripts' hashes ($savePrecision, $modules modules)", async (hashCase) => {
    const { metadata, savePrecision } = hashCase;
    const file = await open(writeLoraFile({ modules: recipeModules(hashCase), metadata, savePrecision }));
    expect(Object.fromEntries(file.metadata)).toEqual({
      ...metadata,
      sshs_model_hash: hashCase.sshs_model_hash,
      sshs_legacy_hash: hashCase.sshs_legacy_hash,
    });
  });

  test("has kohya's keys, and 4-D tensors for projections", async () => {
    const [linear, projection] = recipeModules({ modules: 2, rank: 4, width: 16 });
    const modules = [linear!, plainModule({ ...projection!, fileRank: 4 })];
    const file = await open(writeLoraFile({ modules, metadata: {}, savePrecision: "fp16" }));
    const layout = [...file.tensors.values()].map(({ name, dtype, shape }) => `${name} ${dtype} ${shape.join("x")}`);
    expect(layout.toSorted()).toEqual([
      "lora_unet_module_0.alpha F16 ",
      "lora_unet_module_0.lora_down.weight F16 4x16",
      "lora_unet_module_0.lora_up.weight F16 16x4",
      "lora_unet_module_1.alpha F16 ",
      "lora_unet_module_1.lora_down.weight F16 4x16x1x1",
      "lora_unet_module_1.lora_up.weight F16 16x4x1x1",
    ]);
  });

  test("has LoCon's shapes for a 3×3 convolution", async () => {
    const convolution = plainModule({
      name: "lora_unet_down_blocks_0_resnets_0_conv1", alpha: 2, rank: 3, in: 8, out: 4, fileRank: 4, kernel: 3,
      down: Float32Array.from({ length: 3 * 8 * 9 }, (_, i) => i), up: Float32Array.from({ length: 12 }, (_, i) => -i),
    });
    const file = await open(writeLoraFile({ modules: [convolution], metadata: {}, savePrecision: "float" }));
    expect([...file.tensors.values()].map(({ name, shape }) => [name.split(".").slice(1).join("."), shape]).toSorted()).toEqual([
      ["alpha", []],
      ["lora_down.weight", [3, 8, 3, 3]],
      ["lora_up.weight", [4, 3, 1, 1]],
    ]);
    expect(await readLora(file)).toEqual([convolution]);
  });

  test("is read back as it was written", async () => {
    const modules = recipeModules({ modules: 3, rank: 2, width: 8 }).map((module, i) => plainModule({ ...module, fileRank: i === 1 ? 4 : 2 }));
    const read = await readLora(await open(writeLoraFile({ modules, metadata: {}, savePrecision: "float" })));
    expect(read.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual(modules);
  });
});
