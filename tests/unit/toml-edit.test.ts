import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { suggestedConfig } from "../../src/config/parameters.ts";
import { differencesBetween } from "../../src/config/preset.ts";
import { readToml, tomlOf } from "../../src/config/toml-edit.ts";

const config = { ...suggestedConfig(), network_dim: 24, sample_prompts: "a\nb", train_data_dir: "/home/me", pretrained_model_name_or_path: "sd.safetensors" };

describe("settings as TOML beside the form", () => {
  it("are valid TOML that means the same settings, without files and folders", () => {
    const text = tomlOf(config);
    expect(Object.values(parse(text)).flatMap((section) => Object.keys(section))).not.toContain("train_data_dir");
    const read = readToml(text);
    expect(read).toMatchObject({ problems: [], notes: [] });
    expect(differencesBetween(config, read.config!)).toEqual([]);
  });

  it("keep comments, order, foreign keys and folders of the text that was written, where other settings change", () => {
    const origin = '# mine\nnetwork_dim = 24 # enough\nmy_key = "x"\ntrain_data_dir = "/kohya/set"\nseed = 7\n';
    const { config: read } = readToml(origin);
    expect(tomlOf({ ...read!, train_data_dir: "" }, origin)).toBe(origin);
    expect(tomlOf({ ...read!, network_dim: 8, min_snr_gamma: 5 }, origin)).toBe(
      `${origin.replace("24", "8")}min_snr_gamma = 5.0\n`,
    );
  });
});

describe("TOML that is being edited", () => {
  it.each([
    ["seed = 1\nnetwork_dim = = 4\n", 2, "config.syntax"],
    ["seed = 1\n\nnetwork_dim = 0 # too few\n", 3, "config.range"],
    ["[a]\nnetwork_dim = 4\n[b]\n  network_dim = 'x'\n", 4, "config.type"],
    ["seed = 1\nseed = 2\n", 2, "config.syntax"],
    ["lr_scheduler = \"constant\"\nlr_warmup_steps = 5", 2, "config.conflict"],
    ["seed = 1\nnetwork_args = [\"conv_dim=-3\"]\n", 2, "config.range"],
    ["\n{ \"seed\": 1 }", 2, "config.syntax"],
    ["resolution = \"32\"\n", 1, "config.range"],
  ])("%j has its problem on line %i", (text, line, code) => {
    const { config: read, problems } = readToml(text);
    expect(read).toBeUndefined();
    expect(problems.map((problem) => [problem.line, problem.error.code])).toEqual([[line, code]]);
  });

  it("names every value that cannot be used, in the order of the lines", () => {
    const { problems } = readToml("train_batch_size = -1\nnetwork_dim = 0\nseed = 'x'\n");
    expect(problems.map(({ line }) => line)).toEqual([1, 2, 3]);
  });

  it("tells what is kept and does nothing, and takes the rest", () => {
    const { config: read, notes, problems } = readToml('my_key = 1\noutput_dir = "/x"\nxformers = true\nnetwork_dim = 8\n');
    expect(problems).toEqual([]);
    expect(read?.network_dim).toBe(8);
    expect(notes.map(({ line, warning }) => [line, warning.code])).toEqual(expect.arrayContaining([[1, "config.unknown"], [2, "config.local"]]));
  });

  it("means sd-scripts' default by a line that is taken away", () => {
    const text = tomlOf(config).split("\n").filter((line) => !line.startsWith("network_dim")).join("\n");
    expect(differencesBetween(config, readToml(text).config!)).toEqual([{ key: "network_dim", from: 24, to: 4 }]);
  });
});
