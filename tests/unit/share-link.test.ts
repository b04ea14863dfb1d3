import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/errors.ts";
import type { Kind } from "../../src/config/parameter.ts";
import { defaultConfig, parameter, suggestedConfig } from "../../src/config/parameters.ts";
import type { ParameterKey, TrainingConfig } from "../../src/config/parameters.ts";
import { PRESET_KEYS, differencesBetween, presetOf, readPreset } from "../../src/config/preset.ts";
import type { Preset } from "../../src/config/preset.ts";
import { BUILTIN_PRESETS, withBuiltin } from "../../src/config/preset-builtin.ts";
import { readPresetFile, writePresetFile } from "../../src/config/preset-file.ts";
import { longestLink, readShareLink, writeShareLink } from "../../src/config/share-link.ts";
import { InputError } from "../../src/errors.ts";
import { deflateRawSync } from "node:zlib";
import { crc32 } from "../../src/formats/crc32.ts";
import { numbersFrom } from "./harness/random-numbers.ts";

const config: TrainingConfig = {
  ...suggestedConfig(), network_dim: 24, optimizer_args: ["weight_decay=0.1"], resolution: [512, 768],
  sample_prompts: "Smith, 铁匠, <b>bold</b> --d 1\nSmith, smile --n blurry", train_data_dir: "/home/me/secret", seed: 0,
  pretrained_model_name_or_path: "/models/private.safetensors",
};
const preset = presetOf("Smith <img src=x>", config, { name: "sd15.safetensors", hash: "1a2b3c4d" });

/** A link as the format's description says, made by other means than the program's. */
function linkOf(data: unknown, { version = 1, sum }: { version?: number; sum?: number } = {}): string {
  const packed = deflateRawSync(typeof data === "string" ? data : JSON.stringify(data));
  const bytes = Buffer.alloc(4 + packed.length);
  bytes.writeUInt32BE(sum ?? ((crc32(packed) ^ version) >>> 0));
  packed.copy(bytes, 4);
  return `#p=${version}.${bytes.toString("base64url")}`;
}

const codeOf = async (hash: string): Promise<string> => {
  try {
    readPreset(await readShareLink(hash));
    return "taken";
  } catch (error) {
    return error instanceof InputError ? error.code : String(error);
  }
};

describe("a preset", () => {
  it("holds every setting that is not sd-scripts' default, and nothing of this computer", () => {
    expect(preset.settings).toMatchObject({ network_dim: 24, seed: 0, sample_prompts: config.sample_prompts, caption_extension: ".txt" });
    expect(JSON.stringify(preset.settings)).not.toMatch(/secret|private/);
    expect(preset.settings).not.toHaveProperty("max_train_steps");
  });

  it("gives the same settings wherever it is opened", () => {
    const read = readPreset(preset);
    expect(read).toEqual({ config: { ...config, train_data_dir: "", pretrained_model_name_or_path: "" }, unknownKeys: [] });
  });

  it("names settings that are not known here, instead of passing over them", () => {
    expect(readPreset({ name: "", settings: { network_dim: 8, from_the_future: 1, train_data_dir: "/x" } }).unknownKeys).toEqual([
      "from_the_future", "train_data_dir",
    ]);
  });

  it.each([
    [{ network_dim: "8" }, "network_dim"], [{ network_dim: null }, "network_dim"], [{ network_dim: 0 }, "network_dim"],
    [{ min_snr_gamma: 0 }, "min_snr_gamma"], [{ lr_scheduler: "COSINE" }, "lr_scheduler"], [{ optimizer_args: "a=1" }, "optimizer_args"],
    [{ sample_prompts: "prompts.txt" }, "sample_prompts"], [{ enable_bucket: 1 }, "enable_bucket"], [{ resolution: "512,512" }, "resolution"],
    [{ lr_scheduler: "constant", lr_warmup_steps: 10 }, "lr_warmup_steps"],
  ])("is refused with %j, which would silently become something else", (settings, key) => {
    expect(() => readPreset({ name: "", settings })).toThrow(expect.objectContaining({ param: key }) as Error);
  });

  it("is compared with the settings at hand before it takes their place", () => {
    const changes = differencesBetween({ ...config, network_dim: 4, output_dir: "/elsewhere" }, readPreset(preset).config);
    expect(changes).toEqual([{ key: "network_dim", from: 4, to: 24 }]);
  });
});

describe("presets of the program", () => {
  it.each(BUILTIN_PRESETS)("$id has settings that pass every check and reasons in both languages", (builtin) => {
    const next = withBuiltin(builtin, config);
    expect(parseConfig(next)).toMatchObject({ config: next, unknownKeys: [], warnings: [] });
    expect(builtin.why.en.length).toBeGreaterThan(80);
    expect(builtin.why["zh-CN"].length).toBeGreaterThan(40);
  });

  it("leave alone what belongs to the subject, and undo each other", () => {
    const [first, second] = BUILTIN_PRESETS.map((builtin) => withBuiltin(builtin, config));
    expect(first).toMatchObject({ sample_prompts: config.sample_prompts, seed: 0, output_name: config.output_name });
    expect(withBuiltin(BUILTIN_PRESETS[0]!, second!)).toEqual(first);
  });
});

describe("a link", () => {
  it("gives back the preset", async () => {
    const link = await writeShareLink(preset);
    expect(link).toMatch(/^#p=1\.[A-Za-z0-9_-]+$/);
    expect(await readShareLink(link!)).toEqual(preset);
  });

  it("gives another computer the same settings to the byte, whichever of them was changed", async () => {
    let tried = 0;
    for (const key of PRESET_KEYS) {
      for (const value of otherValues(key)) {
        const changed = { ...suggestedConfig(), sample_prompts: config.sample_prompts, [key]: value } as TrainingConfig;
        if (!isValid(changed)) continue;
        tried += 1;
        const read = await readShareLink((await writeShareLink(presetOf("A", changed, preset.model!)))!);
        expect(JSON.stringify(readPreset(read))).toBe(JSON.stringify({ config: changed, unknownKeys: [] }));
        expect(read.model).toEqual({ name: "sd15.safetensors", hash: "1a2b3c4d" });
        break;
      }
    }
    expect(tried).toBeGreaterThan(0.8 * PRESET_KEYS.length);
  });

  it("can be read where it was made by the format's description alone", async () => {
    const link = linkOf({ n: "A", s: { network_dim: 8 }, m: { n: "b.ckpt" } });
    expect(await readShareLink(link)).toEqual({ name: "A", settings: { network_dim: 8 }, model: { name: "b.ckpt" } });
  });

  it("is not made where it would be too long for a chat, and a file is", async () => {
    const next = numbersFrom(3);
    const noise = Array.from({ length: 8000 }, () => String.fromCharCode(97 + Math.floor(next() * 26))).join("");
    const long = presetOf("long", { ...config, sample_prompts: noise });
    expect(await writeShareLink(long)).toBeUndefined();
    expect(readPresetFile(writePresetFile(long))).toEqual(long);
  });

  it.each([
    ["of a newer format", linkOf({ n: "", s: {} }, { version: 2 }), "preset.newer"],
    ["of no format", linkOf({ n: "", s: {} }, { version: 0 }), "preset.damaged"],
    ["with nothing behind", "#p=", "preset.damaged"],
    ["too long", `#p=1.${"A".repeat(longestLink)}`, "preset.tooLong"],
    ["with another sum", linkOf({ n: "", s: {} }, { sum: 1 }), "preset.damaged"],
    ["that fills the memory", linkOf(`{"n":"","s":{"sample_prompts":"${"a".repeat(1_000_000)}"}}`), "preset.damaged"],
    ["that is no JSON", linkOf("hello"), "preset.damaged"],
    ["that is a list", linkOf([]), "preset.damaged"],
    ["with more than a preset has", linkOf({ n: "", s: {}, run: "now" }), "preset.damaged"],
    ["with a name that is none", linkOf({ n: {}, s: {} }), "preset.damaged"],
    ["with control characters", linkOf({ n: "a\u001b[2J", s: {} }), "preset.damaged"],
    ["with a hash that is none", linkOf({ n: "", s: {}, m: { n: "", h: "<script>" } }), "preset.damaged"],
    ["with a bad value", linkOf({ n: "", s: { network_dim: 1e9 } }), "config.range"],
    ["with a prototype", linkOf('{"n":"","s":{},"__proto__":{"s":1}}'), "preset.damaged"],
  ])("%s is refused by name", async (_, link, code) => {
    expect(await codeOf(link)).toBe(code);
  });

  it("that was changed anywhere is refused, in ten thousand ways", { timeout: 60_000 }, async () => {
    const next = numbersFrom(5);
    const alphabet = "ABCxyz019-_.#=%<>'\"& \u0000é";
    const links = [(await writeShareLink(preset))!, linkOf({ n: "A", s: { network_dim: 8 } }), linkOf({ n: "", s: {} })];
    const strange: string[] = [];
    for (let round = 0; round < 10_000; round += 1) {
      const link = links[round % links.length]!;
      const at = Math.floor(next() * link.length);
      const letter = alphabet[Math.floor(next() * alphabet.length)]!;
      const kind = Math.floor(next() * 5);
      const other = Math.floor(next() * link.length);
      const mutated = [
        link.slice(0, at) + letter + link.slice(at + 1), link.slice(0, at) + link.slice(at + 1), link.slice(0, at) + letter + link.slice(at),
        link.slice(0, at), link.slice(0, Math.min(at, other)) + link.slice(Math.max(at, other)) + link.slice(Math.min(at, other), Math.max(at, other)),
      ][kind]!;
      if (mutated === link) continue;
      const code = await codeOf(mutated);
      if (!["preset.damaged", "preset.newer"].includes(code)) strange.push(`${mutated}: ${code}`);
    }
    expect(strange).toEqual([]);
  });

  it("with a right sum and wrong contents is refused by the setting, or means exactly what it says", { timeout: 60_000 }, async () => {
    const next = numbersFrom(9);
    const keys = [...Object.keys(defaultConfig()), "nonsense", "__proto__", "constructor"];
    const values: readonly unknown[] = [0, 1, 8, -1, 0.5, 1e308, "", "0", "512,512", true, false, null, [], [512, 512], ["a"], {}, "<img src=x onerror=alert(1)>"];
    const strange: string[] = [];
    for (let round = 0; round < 1000; round += 1) {
      const entries = Array.from({ length: 1 + Math.floor(next() * 3) }, () =>
        [keys[Math.floor(next() * keys.length)]!, values[Math.floor(next() * values.length)]] as const);
      const settings = Object.fromEntries(entries);
      const outcome = await readShareLink(linkOf({ n: "", s: settings })).then(judged, (error: unknown) => error);
      if (outcome !== "exact" && !(outcome instanceof ConfigError)) strange.push(`${JSON.stringify(settings)}: ${String(outcome)}`);
    }
    expect(strange).toEqual([]);
  });
});

/** Values that a setting may take and that are not its default, by what it is. */
function otherValues(key: ParameterKey): readonly unknown[] {
  const { kind, min = 0, max = 4096, multipleOf = 1, choices = [], default: usual } = parameter(key);
  const numbers = [0.1, 0.5, 1.25, 1e-7].map((part) => min + part * (Math.min(max, 2) - min));
  const whole = [1, 2, 3, 128, 150].map((count) => Math.ceil(min / multipleOf) * multipleOf + count * multipleOf);
  const values: Record<Kind, readonly unknown[]> = {
    bool: [usual !== true], int: whole.filter((value) => value <= max), float: numbers, warmup: [0.05, 10], text: ["x, 铁匠", ".other"],
    choice: choices.filter((choice) => choice !== usual), size: [[512, 768]], list: [["weight_decay=0.1"], ["num_cycles=0.5"]],
  };
  return values[kind];
}

function isValid(candidate: TrainingConfig): boolean {
  try {
    return JSON.stringify(parseConfig(candidate).config) === JSON.stringify(candidate);
  } catch {
    return false;
  }
}

/** "exact" where every known setting is what the preset says, and every other one the default. */
function judged(read: Preset): unknown {
  try {
    const { config: meant, unknownKeys } = readPreset(read);
    const said = Object.entries(read.settings).filter(([key]) => !unknownKeys.includes(key));
    return JSON.stringify(meant) === JSON.stringify({ ...defaultConfig(), ...Object.fromEntries(said) }) ? "exact" : meant;
  } catch (error) {
    return error;
  }
}
