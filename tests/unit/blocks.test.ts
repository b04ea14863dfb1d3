/** Rates and ranks of the UNet's blocks against sd-scripts' own functions (tests/reference/make_blocks.py). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { blockRanks, blockWeights } from "../../src/config/block-settings.ts";
import { parseConfig } from "../../src/config/config.ts";
import { sideRatios } from "../../src/config/rate-ratios.ts";
import { blockOf } from "../../src/lora/rate-groups.ts";
import { createAdapters } from "../../src/training/run-settings.ts";
import { openCheckpoint } from "../../src/models/config.ts";
import { loraTargets } from "../../src/models/names.ts";
import { sparseFile, specsOf } from "./sparse-file.ts";

const real = JSON.parse(readFileSync(new URL("fixtures/ldm-key-shapes.json", import.meta.url), "utf8")) as Record<"sd1", Record<string, number[]>>;
interface Fixture {
  readonly weights: readonly { readonly settings: object; readonly weights: readonly number[] }[];
  readonly ranks: readonly {
    readonly settings: object;
    readonly dims: readonly number[];
    readonly alphas: readonly number[];
    readonly conv_dims: readonly number[] | null;
    readonly conv_alphas: readonly (number | null)[] | null;
  }[];
  readonly blocks: Readonly<Record<string, number>>;
}
const fixture = JSON.parse(readFileSync(new URL("fixtures/blocks.json", import.meta.url), "utf8")) as Fixture;
const model = await openCheckpoint(await sparseFile(specsOf(Object.entries(real.sd1))));

const settle = (values: object) => parseConfig(values as Record<string, unknown>).config;

describe("weights of blocks", () => {
  it.each(fixture.weights)("are sd-scripts': $settings", ({ settings, weights }) => {
    const found = blockWeights(settle(settings))!;
    expect(found).toHaveLength(25);
    weights.forEach((weight, i) => expect(found[i]).toBeCloseTo(weight, 14));
  });

  it("are absent where none is set, and named where they can't be read", () => {
    expect(blockWeights(settle({}))).toBeUndefined();
    for (const [key, value] of Object.entries({ down_lr_weight: "sinus", up_lr_weight: "1,-1", mid_lr_weight: "sine" })) {
      expect(() => settle({ [key]: value })).toThrow(expect.objectContaining({ param: key }) as Error);
    }
  });
});

describe("ranks of blocks", () => {
  it.each(fixture.ranks)("are sd-scripts': $settings", ({ settings, dims, alphas, conv_dims: convDims, conv_alphas: convAlphas }) => {
    const { linear, conv } = blockRanks(settle(settings))!;
    expect(linear.map(({ rank }) => rank)).toEqual(dims);
    expect(linear.map(({ alpha }) => alpha)).toEqual(alphas);
    expect(conv?.map(({ rank }) => rank) ?? null).toEqual(convDims);
    expect(conv?.map(({ alpha }) => alpha) ?? null).toEqual(convAlphas?.map((alpha) => alpha ?? 1) ?? null);
  });

  it("need 25 whole numbers", () => {
    for (const value of ["1,2,3", Array(25).fill("1.5").join(","), Array(25).fill("-1").join(","), Array(25).fill("").join(",")]) {
      expect(() => settle({ block_dims: value })).toThrow(/block_dims/);
    }
  });
});

describe("block numbers", () => {
  it.each(Object.entries(fixture.blocks))("%s is in sd-scripts' block %i", (name, block) => {
    expect(blockOf({ name, part: "unet" })).toBe(block);
  });
});

describe("groups of rates", () => {
  it("are the sides alone where nothing is set, with LoRA+ four, and blocks of one weight share theirs", () => {
    const groups = (values: object) => createAdapters(model, settle(values)).groups.map(({ side, ratio }) => `${side} ${ratio}`);
    expect(groups({})).toEqual(["textEncoder 1", "unet 1"]);
    expect(groups({ loraplus_lr_ratio: 4, loraplus_text_encoder_lr_ratio: 2 })).toEqual(["textEncoder 1", "textEncoder 2", "unet 1", "unet 4"]);
    expect(groups({ mid_lr_weight: "0.5", network_train_unet_only: true })).toEqual(["unet 1", "unet 0.5"]);
    expect(groups({ loraplus_lr_ratio: 4, optimizer_type: "Adafactor", lr_scheduler: "adafactor" })).toEqual(["textEncoder 1", "unet 1"]);
  });

  it("leave out the layers of blocks without a weight or a rank", () => {
    const names = createAdapters(model, settle({ mid_lr_weight: "0" })).targets.map(({ name }) => name);
    expect(names).toEqual(loraTargets(model).map(({ name }) => name).filter((name) => !name.includes("mid_block")));
  });

  it("are refused with optimizers that have one rate for all", () => {
    const values = { optimizer_type: "Prodigy", learning_rate: 1 };
    for (const [key, value] of Object.entries({ loraplus_lr_ratio: 4, up_lr_weight: "sine", mid_lr_weight: "0.5" })) {
      expect(() => settle({ ...values, [key]: value })).toThrow(expect.objectContaining({ param: key }) as Error);
    }
    expect(sideRatios(settle({ ...values, mid_lr_weight: "0" }))).toBeDefined();
    expect(() => settle({ network_module: "lycoris.kohya", scale_weight_norms: 1 })).toThrow(/scale_weight_norms/);
  });
});
