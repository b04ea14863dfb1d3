/** What a run does with its pictures and captions, as a user trains: each change of a setting changes the LoRA as it should. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { readLora } from "../unit/read-lora.ts";
import { lorasmith, succeeding } from "../unit/run-bin.ts";
import { isSlowAdapter } from "./harness/adapter.ts";

let root: string;
let model: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lorasmith-dataset-"));
  model = join(root, "mini.safetensors");
  await succeeding(lorasmith(["make-checkpoint", "--arch", "mini-sd15", "--seed", "3", "--out", model]));
  await picture("data/1_cat", "a", 1);
  await picture("data/1_cat", "b", 2);
  await picture("reg/1_animal", "r", 3);
  await picture("other/1_animal", "r", 4);
});
afterAll(() => rm(root, { recursive: true }));

async function picture(folder: string, name: string, seed: number): Promise<void> {
  await mkdir(join(root, folder), { recursive: true });
  const pixels = Buffer.alloc(64 * 64 * 3).map((_, at) => (at * (3 + seed) + (at >> 9) * 31 * seed) & 255);
  await sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } }).png().toFile(join(root, folder, `${name}.png`));
  await writeFile(join(root, folder, `${name}.txt`), `${name}, one, two, three, four, five, six`);
}

const settings = ["resolution=64,64", "network_dim=2", "learning_rate=1e-2", "seed=11", "caption_extension=.txt", "max_train_steps=2"];

/** Trains and reads the LoRA. */
async function trained(changes: readonly string[], more: readonly string[] = []) {
  const out = join(root, `out-${crypto.randomUUID()}`);
  const set = [...settings, ...changes].flatMap((setting) => ["--set", setting]);
  const { stderr } = await succeeding(lorasmith(["train", "--model", model, "--data", join(root, "data"), "--out", out, ...set, ...more]));
  const bytes = await readFile(join(out, "last.safetensors"));
  const file = await openSafetensors(blobSource(new Blob([bytes]), "last"));
  const weights = (await readLora(file)).map(({ name, up, down }) => [name, [...up], [...down]] as const);
  return { weights, metadata: file.metadata, stderr };
}

describe("captions", () => {
  test.skipIf(isSlowAdapter)("encoded in every step teach the UNet what captions encoded once teach it", async () => {
    const once = await trained(["network_train_unet_only=true"]);
    // Wildcards are looked for at each showing, but these captions have none.
    const each = await trained(["network_train_unet_only=true", "enable_wildcard=true"]);
    expect(once.stderr).toContain("Encoding captions");
    expect(each.stderr).not.toContain("Encoding captions");
    expect(each.weights).toEqual(once.weights);
  });

  test.skipIf(isSlowAdapter)("of several chunks and with weights are joined in the step as they are where they are encoded once", async () => {
    const long = ["network_train_unet_only=true", "weighted_captions=true", `caption_suffix=${"(a long caption:1.3), ".repeat(20)}`];
    const chunks = [...long, "max_token_length=150"];
    const once = await trained(chunks);
    expect((await trained([...chunks, "enable_wildcard=true"])).weights).toEqual(once.weights);
    expect((await trained(long)).weights).not.toEqual(once.weights);
    expect(once.metadata.get("ss_max_token_length")).toBe("150");
  });

  test.skipIf(isSlowAdapter)("that are shuffled, dropped and thinned out give another LoRA, and the same one again", async () => {
    const settings = ["network_train_unet_only=true", "shuffle_caption=true", "caption_dropout_rate=0.2", "caption_tag_dropout_rate=0.3"];
    const [steady, varied, again] = [await trained(["network_train_unet_only=true"]), await trained(settings), await trained(settings)];
    expect(varied.weights).not.toEqual(steady.weights);
    expect(again.weights).toEqual(varied.weights);
    expect(varied.metadata.get("ss_shuffle_caption")).toBe("True");
    expect(varied.metadata.get("ss_caption_tag_dropout_rate")).toBe("0.3");
  });
});

describe("mirror images", () => {
  test.skipIf(isSlowAdapter)("are trained on where they are asked for", async () => {
    const [plain, flipped] = [await trained([]), await trained(["flip_aug=true"])];
    expect(flipped.weights).not.toEqual(plain.weights);
    expect(flipped.metadata.get("ss_flip_aug")).toBe("True");
  });
});

describe("transparency as a mask", () => {
  test.skipIf(isSlowAdapter)("teaches nothing where everything is transparent", async () => {
    for (const name of ["a", "b"]) {
      await mkdir(join(root, "clear/1_cat"), { recursive: true });
      const opaque = sharp(join(root, `data/1_cat/${name}.png`));
      await opaque.ensureAlpha(0).png().toFile(join(root, `clear/1_cat/${name}.png`));
    }
    const clear = ["--data", join(root, "clear")];
    const learned = ({ weights }: Awaited<ReturnType<typeof trained>>) => weights.filter(([, up]) => up.some((value) => value !== 0)).length;
    expect(learned(await trained([], clear))).toBeGreaterThan(0);
    expect(learned(await trained(["alpha_mask=true"], clear))).toBe(0);
    expect(learned(await trained(["alpha_mask=true"]))).toBeGreaterThan(0);
  });
});

describe("regularization pictures", () => {
  test.skipIf(isSlowAdapter)("are trained on beside the others, with the weight that they are given", async () => {
    const lengths = ["max_train_epochs=1", "train_batch_size=1"];
    const withReg = (folder: string, changes: readonly string[] = []) => trained([...lengths, ...changes], ["--reg", join(root, folder)]);
    const [alone, beside] = [await trained(lengths), await withReg("reg")];
    // One picture of the class, shown as often as both training pictures together.
    expect(beside.stderr).toContain("Regularization pictures: 1 of 1, shown 2 times per epoch");
    expect([alone.metadata.get("ss_max_train_steps"), beside.metadata.get("ss_max_train_steps")]).toEqual(["2", "4"]);
    expect(beside.metadata.get("ss_num_reg_images")).toBe("1");
    expect(JSON.parse(beside.metadata.get("ss_reg_dataset_dirs") ?? "")).toEqual({ "1_animal": { n_repeats: 1, img_count: 1 } });
    const weightless = await withReg("reg", ["prior_loss_weight=0"]);
    expect(weightless.metadata.get("ss_prior_loss_weight")).toBe("0.0");
    expect((await withReg("other", ["prior_loss_weight=0"])).weights).toEqual(weightless.weights);
    expect((await withReg("other")).weights).not.toEqual(beside.weights);
  });
});

describe("a dataset configuration", () => {
  const written = async (lines: string): Promise<string[]> => {
    const file = join(root, `${crypto.randomUUID()}.toml`);
    await writeFile(file, `[[datasets]]\nresolution = 64\n[[datasets.subsets]]\nimage_dir = "data/1_cat"\n${lines}`);
    return ["--dataset-config", file];
  };

  test.skipIf(isSlowAdapter)("trains what the same folders and settings train, its own options before the run's", async () => {
    const configured = await trained([], await written(""));
    expect(configured.weights).toEqual((await trained([])).weights);
    expect(JSON.parse(configured.metadata.get("ss_dataset_dirs") ?? "")).toEqual({ "1_cat": { n_repeats: 1, img_count: 2 } });
    expect(configured.metadata.has("ss_flip_aug")).toBe(false);
    const flipped = await trained([], await written("flip_aug = true\ncaption_prefix = 'sks'\n"));
    expect(flipped.weights).toEqual((await trained(["flip_aug=true", "caption_prefix=sks"])).weights);
    expect(flipped.weights).not.toEqual(configured.weights);
  });

  test("is refused with the table and the key", async () => {
    const refused = async (lines: string) =>
      lorasmith(["train", "--model", model, "--out", join(root, "none"), ...(await written(lines))]);
    const [unknown, missing] = [await refused("flip_augg = true"), await refused("[[datasets.subsets]]\nimage_dir = 'nowhere'")];
    expect([unknown.code, missing.code]).toEqual([2, 2]);
    expect(unknown.stderr).toContain("flip_augg in [[datasets.subsets]] 1");
    expect(missing.stderr).toContain("[[datasets.subsets]] 2 of the dataset configuration names the folder nowhere");
  });
});

describe("validation", () => {
  test.skipIf(isSlowAdapter)("is told after each epoch, and written into the file", async () => {
    const { stderr, metadata } = await trained(["validation_split=0.5", "validation_seed=3"]);
    expect(stderr).toContain("Pictures held out for validation: 1");
    expect(stderr.match(/Validation loss after step \d: \d\.\d{4}/g)).toHaveLength(2);
    const facts = ["num_train_images", "num_validation_images", "validation_split", "validation_seed"].map((key) => metadata.get(`ss_${key}`));
    expect(facts).toEqual(["1", "1", "0.5", "3"]);
  });
});
