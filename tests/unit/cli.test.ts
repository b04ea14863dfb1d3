import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { encodeSafetensors } from "../../src/formats/safetensors-writer.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { dataFile, lorasmith, projectRoot, type Finished } from "./run-bin.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const mini = dataFile("mini-sd1.safetensors");
const mini2 = dataFile("mini-sd2.safetensors");
const onePixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

let root: string;
let data: string;

beforeAll(async () => {
  // Makes the bundle, so that no test has the time of the build or its note on stderr.
  await lorasmith(["--version"]);
  root = await mkdtemp(join(tmpdir(), "lorasmith-cli-"));
  data = join(root, "data");
  await mkdir(join(data, "2_cat"), { recursive: true });
  await writeFile(join(data, "2_cat", "a.png"), onePixel);
});
afterAll(() => rm(root, { recursive: true }));

/** The one line of a refusal: exit code 2, nothing on stdout, no stack trace. Otherwise all that happened. */
function refusal({ code, stdout, stderr }: Finished): string {
  const [, line] = /^lorasmith: ([^\n]+)\n$/.exec(stderr) ?? [];
  if (line === undefined || code !== 2 || stdout !== "") return JSON.stringify({ code, stdout, stderr });
  return line;
}

describe("help and version", () => {
  test("--version prints the package's version", async () => {
    const { version } = JSON.parse(await readFile(`${projectRoot}package.json`, "utf8")) as { version: string };
    expect(await lorasmith(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  test("--help lists every command, and each has its own help", async () => {
    const { stdout, code } = await lorasmith(["--help"]);
    expect(code).toBe(0);
    for (const name of ["train", "plan", "sample", "tag", "inspect", "replay", "bench", "make-checkpoint"]) {
      expect(stdout).toContain(`  ${name} `);
      const help = await lorasmith([name, "--help"]);
      expect(help).toMatchObject({ code: 0, stderr: "" });
      expect(help.stdout).toMatch(new RegExp(`^lorasmith ${name} `));
    }
  });
});

describe("bad input is one line on stderr and exit code 2", () => {
  test.each([
    ["no command", [], /No command/],
    ["an unknown command", ["trian"], /no command "trian"; there are train/],
    ["an unknown option", ["train", "--modle", "x"], /Unknown option '--modle'/],
    ["an option without its value", ["plan", "--model"], /--model/],
    ["too many arguments", ["inspect", "a", "b"], /Unexpected argument "b"/],
    ["no model", ["train", "--data", "x", "--out", "y"], /--model is missing/],
    ["a missing model file", ["plan", "--model", "/nowhere.safetensors"], /nowhere\.safetensors does not exist/],
    ["a missing trace", ["replay", "--model", mini, "--out", "x"], /The trace is missing/],
    ["an unknown setting", ["plan", "--model", mini, "--set", "netwrok_dim=4"], /netwrok_dim: there is no such parameter/],
    ["a setting without value", ["plan", "--model", mini, "--set", "network_dim"], /write it as key=value/],
    ["a bad value", ["plan", "--model", mini, "--set", "network_dim=many"], /network_dim is "many", but/],
    ["a value out of range", ["plan", "--model", mini, "--set", "network_dim=0"], /network_dim is "0", but/],
    ["settings that contradict each other", ["plan", "--model", mini, "--set", "lr_warmup_steps=5"], /lr_warmup_steps is 5, but/],
    ["v2 with a Stable Diffusion 1 file", ["plan", "--model", mini, "--set", "v2=true"], /v2 is true, but .* 1 checkpoint/],
    ["a LoRA as base", ["plan", "--model", dataFile("lora-sd1.safetensors")], /is a LoRA/],
    ["a missing configuration", ["plan", "--model", mini, "--config", "/no.toml"], /no\.toml does not exist/],
    ["an unknown layout", ["make-checkpoint", "--arch", "sd3", "--out", "x"], /--arch must be one of/],
  ])("%s", async (_, argv, message) => {
    expect(refusal(await lorasmith(argv))).toMatch(message);
  });

  test("a truncated checkpoint", async () => {
    const path = join(root, "truncated.safetensors");
    await writeFile(path, (await readFile(mini)).subarray(0, 100_000));
    expect(refusal(await lorasmith(["plan", "--model", path]))).toMatch(/truncated\.safetensors/);
  });

  test("an SDXL checkpoint", async () => {
    const path = join(root, "sdxl.safetensors");
    const names = [
      "conditioner.embedders.0.transformer.text_model.final_layer_norm.bias",
      "conditioner.embedders.1.model.transformer.resblocks.0.ln_1.bias",
      "model.diffusion_model.input_blocks.0.0.bias",
    ];
    const tensors = names.map((name) => ({ name, dtype: "F32" as const, shape: [1], data: new Uint8Array(4) }));
    await writeFile(path, encodeSafetensors(tensors, {}));
    expect(refusal(await lorasmith(["plan", "--model", path]))).toMatch(/SDXL/);
  });

  test("a configuration that is not valid TOML, with the line", async () => {
    const path = join(root, "bad.toml");
    await writeFile(path, "network_dim = 4\nnetwork_alpha =\n");
    expect(refusal(await lorasmith(["plan", "--model", mini, "--config", path]))).toMatch(/line 2/);
  });

  test("a folder that does not exist, and one without pictures", async () => {
    const options = ["--model", mini, "--out", root, "--set", "learning_rate=1e-4"];
    const train = (folder: string) => lorasmith(["train", "--data", folder, ...options]);
    expect(refusal(await train(join(root, "nowhere")))).toMatch(/nowhere does not exist/);
    const empty = join(root, "empty");
    await mkdir(empty);
    expect(refusal(await train(empty))).toMatch(/No pictures/);
  });

  test("a broken picture and an empty caption are named", async () => {
    const broken = join(root, "broken", "1_x");
    await mkdir(broken, { recursive: true });
    await writeFile(join(broken, "bad.png"), "no picture");
    expect(refusal(await lorasmith(["plan", "--model", mini, "--data", join(root, "broken")]))).toMatch(/bad\.png/);
    await writeFile(join(broken, "bad.png"), onePixel);
    await writeFile(join(broken, "bad.txt"), "");
    expect(refusal(await lorasmith(["plan", "--model", mini, "--data", join(root, "broken")]))).toMatch(/bad\.txt is empty/);
  });

  test("a state file that is none", async () => {
    const argv = ["train", "--model", mini, "--data", data, "--out", root, "--resume", mini];
    expect(refusal(await lorasmith(argv))).toMatch(/not a training state/);
  });
});

test("without any GPU a command that needs one fails with 1 and says what to install", async () => {
  const trace = dataFile("replay/sd1-adamw-text-b1.trace.safetensors");
  const { code, stderr } = await lorasmith(["replay", trace, "--model", mini, "--out", join(root, "replay")], {
    env: { VK_ICD_FILENAMES: "/nonexistent" },
  });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^lorasmith: No GPU was found\. Install the Vulkan driver [^\n]+\n/m);
});

interface PlanJson {
  peakBytes: number;
  weightsBytes: number;
  savedActivationBytes: number;
  dispatches: number;
  flops: number;
  parts: { key: string; bytes: number }[];
  byOp: { op: string; dispatches: number; flops: number }[];
}

async function plan(...argv: string[]): Promise<PlanJson> {
  const { code, stdout, stderr } = await lorasmith(["plan", "--json", ...argv]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return JSON.parse(stdout) as PlanJson;
}

describe("plan", () => {
  test("--json has the figures, and they add up", async () => {
    const result = await plan("--model", mini, "--set", "network_dim=2");
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    const training = sum(result.parts.map(({ bytes }) => bytes));
    expect(result.peakBytes).toBeGreaterThanOrEqual(training);
    expect(result.parts.find(({ key }) => key === "weights")?.bytes).toBe(result.weightsBytes);
    expect(result.parts.find(({ key }) => key === "savedActivations")?.bytes).toBe(result.savedActivationBytes);
    expect(sum(result.byOp.map(({ dispatches }) => dispatches))).toBe(result.dispatches);
    expect(sum(result.byOp.map(({ flops }) => flops)) / result.flops).toBeCloseTo(1, 3);
  });

  test("weights take two bytes per value of the models that a step runs", async () => {
    const { tensors } = await openSafetensors(blobSource(new Blob([new Uint8Array(await readFile(mini))]), "mini"));
    const bytes = (prefix: string): number =>
      [...tensors.values()].filter(({ name }) => name.startsWith(prefix)).reduce((sum, { byteLength }) => sum + byteLength, 0);
    const unetOnly = await plan("--model", mini, "--set", "network_train_unet_only=true");
    const both = await plan("--model", mini);
    // The file is f16; on the GPU rows are padded to alignments, which shows in models as small as this.
    const unet = unetOnly.weightsBytes / bytes("model.diffusion_model.");
    const text = (both.weightsBytes - unetOnly.weightsBytes) / bytes("cond_stage_model.");
    for (const ratio of [unet, text]) {
      expect(ratio).toBeGreaterThan(0.99);
      expect(ratio).toBeLessThan(1.1);
    }
  });

  test("checkpointing saves memory and a larger batch takes more", async () => {
    const base = await plan("--model", mini);
    const checkpointed = await plan("--model", mini, "--set", "gradient_checkpointing=true");
    const batched = await plan("--model", mini, "--set", "train_batch_size=2");
    expect(checkpointed.savedActivationBytes).toBeLessThan(base.savedActivationBytes / 2);
    expect(batched.savedActivationBytes / base.savedActivationBytes).toBeCloseTo(2, 1);
  });

  test("--set wins over --config, and --data gives the shapes", async () => {
    const config = join(root, "kohya.toml");
    await writeFile(config, "[network]\nnetwork_dim = 8\nresolution = \"512,512\"\n");
    const parts = (result: PlanJson) => result.parts.find(({ key }) => key === "adapters")!.bytes;
    const eight = await plan("--model", mini, "--config", config);
    const four = await plan("--model", mini, "--config", config, "--set", "network_dim=4");
    expect(parts(eight) / parts(four)).toBeCloseTo(2, 1);
    const bySet = await plan("--model", mini, "--set", "resolution=128,128");
    const byData = await plan("--model", mini, "--data", data, "--set", "resolution=128,128");
    expect(byData).toEqual(bySet);
  });

  test("the text says the same peak as the JSON, and SD2 needs no --set v2", async () => {
    const { peakBytes } = await plan("--model", mini2);
    const { stdout } = await lorasmith(["plan", "--model", mini2]);
    expect(stdout).toContain(`Peak GPU memory: ${(peakBytes / 2 ** 20).toFixed(1)} MiB\n`);
    expect(stdout).toMatch(/conv2d +\d+ +\d+\.\d\d\n/);
  });

  test("a v_parameterization that the checkpoint contradicts is used, with a warning", async () => {
    const { code, stderr } = await lorasmith(["plan", "--model", mini, "--set", "v_parameterization=true"]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: v_parameterization is true, but the checkpoint looks like epsilon/);
  });
});

test("inspect tells what a file is", async () => {
  const { code, stdout } = await lorasmith(["inspect", mini]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/Kind +a Stable Diffusion 1 checkpoint/);
});
