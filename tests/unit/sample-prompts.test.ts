import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/errors.ts";
import { loadKohyaConfig, writeKohyaToml } from "../../src/config/kohya.ts";
import { isPromptFileName, parseSamplePrompts, readPromptFile } from "../../src/config/sample-prompts.ts";

const plain = {
  line: 1, prompt: "a cat", negative: "", width: undefined, height: undefined, seed: undefined, steps: 30, cfg: 7.5, sampler: undefined,
};

describe("a line of sample_prompts", () => {
  it.each([
    ["a cat", {}],
    ["  a cat \t", {}],
    ["a cat --w 512 --h 768 --d 42 --s 20 --l 5.5", { width: 512, height: 768, seed: 42, steps: 20, cfg: 5.5 }],
    ["a cat --n low quality, blurry --d 1", { negative: "low quality, blurry", seed: 1 }],
    ["a cat --W 64 --N Bad", { width: 64, negative: "Bad" }],
    // Rounded down to multiples of 8, not below 64.
    ["a cat --w 519 --h 10", { width: 512, height: 64 }],
    ["a cat --s 0", { steps: 1 }],
    ["a cat --s 5000", { steps: 1000 }],
    ["a cat --ss euler_a", { sampler: "euler_a" }],
    ["a cat --ss K_Euler", { sampler: "euler" }],
    ["a cat --ss dpmsolver++", { sampler: "dpmsolver++" }],
    ["a cat --d 5 --d 6", { seed: 6 }],
    ["a well-made -- cat", { prompt: "a well-made" }],
    ["--n only a negative one", { prompt: "--n only a negative one" }],
  ])("%s", (text, expected) => {
    const { prompts, errors } = parseSamplePrompts(text);
    expect(errors).toEqual([]);
    expect(prompts).toEqual([{ ...plain, ...expected }]);
  });

  it("is left out where it is empty or a remark, and counted all the same", () => {
    const { prompts } = parseSamplePrompts("# mine\r\n\r\na cat\r\n  # a dog\nb\n");
    expect(prompts.map(({ line, prompt }) => [line, prompt])).toEqual([[3, "a cat"], [5, "b"]]);
  });

  it.each([
    ["--w wide", "--w", "wide", "whole"],
    ["--h", "--h", "", "whole"],
    ["--d -1", "--d", "-1", "whole"],
    ["--s 2.5", "--s", "2.5", "whole"],
    ["--l high", "--l", "high", "number"],
    ["--ss ddpm3000", "--ss", "ddpm3000", "sampler"],
  ])("with %s is an error that names line and flag, and spoils no other line", (flag, name, value, wanted) => {
    const { prompts, errors } = parseSamplePrompts(`good\na cat ${flag}\nbetter`);
    expect(prompts.map(({ prompt }) => prompt)).toEqual(["good", "better"]);
    expect(errors.map(({ code, data }) => ({ code, ...data }))).toMatchObject([{ code: `samples.flag.${wanted}`, line: 2, flag: name, value }]);
  });

  it("may have flags of other models, which are told and have no effect", () => {
    const { prompts, ignored } = parseSamplePrompts("a cat --g 3.5 --cn pose.png --d 1");
    expect(prompts).toEqual([{ ...plain, seed: 1 }]);
    expect(ignored).toEqual([{ line: 1, flag: "--g" }, { line: 1, flag: "--cn" }]);
  });
});

describe("a prompt file", () => {
  it("of lines is taken as it is", () => {
    expect(readPromptFile("p.txt", "\uFEFFa\n# b\n")).toBe("a\n# b\n");
  });

  it("in JSON becomes lines", () => {
    const text = JSON.stringify([
      { prompt: "a cat", negative_prompt: "bad", width: 512, height: 640, seed: 3, sample_steps: 20, scale: 6.5, sample_sampler: "euler_a" },
      "a dog --d 1",
      { prompt: "two\nlines" },
    ]);
    const { prompts, errors } = parseSamplePrompts(readPromptFile("p.JSON", text));
    expect(errors).toEqual([]);
    expect(prompts).toEqual([
      { ...plain, negative: "bad", width: 512, height: 640, seed: 3, steps: 20, cfg: 6.5, sampler: "euler_a" },
      { ...plain, line: 2, prompt: "a dog", seed: 1 },
      { ...plain, line: 3, prompt: "two lines" },
    ]);
  });

  it("in TOML shares what stands above its subsets", () => {
    const text = '[prompt]\nwidth = 256\nseed = 1\n[[prompt.subset]]\nprompt = "a cat"\n[[prompt.subset]]\nprompt = "a dog"\nseed = 2\n';
    const { prompts } = parseSamplePrompts(readPromptFile("p.toml", text));
    expect(prompts.map(({ prompt, width, seed }) => [prompt, width, seed])).toEqual([["a cat", 256, 1], ["a dog", 256, 2]]);
  });

  it.each([["p.json", "{}"], ["p.json", "[1]"], ["p.json", "["], ["p.toml", "a = 1"], ["p.toml", "[prompt"]])("%s that says %s is refused", (name, text) => {
    expect(() => readPromptFile(name, text)).toThrow(expect.objectContaining({ code: "samples.file" }));
  });

  it("is told from prompts by its ending", () => {
    expect(["C:\\a b\\prompt.txt", "p.toml"].map(isPromptFileName)).toEqual([true, true]);
    expect(["a cat", "a.txt\nb.txt", "", undefined].map(isPromptFileName)).toEqual([false, false, false, false]);
  });
});

describe("sample_prompts in a configuration", () => {
  it("stay the same through kohya's TOML", () => {
    const { config } = parseConfig({ sample_prompts: 'a "cat" --d 1\n# b\nc', sample_every_n_epochs: 2, sample_at_first: true, sample_sampler: "euler_a" });
    const again = loadKohyaConfig(writeKohyaToml(config));
    expect(again.config).toEqual(config);
    expect(again.warnings).toEqual([]);
  });

  it("that name a file of another computer are not taken for a prompt, and it is said", () => {
    const { config, warnings } = parseConfig({ sample_prompts: "D:/lora/prompt.txt" });
    expect(config.sample_prompts).toBe("");
    expect(warnings).toMatchObject([{ code: "config.promptFile", param: "sample_prompts" }]);
  });

  it("with a line that cannot be read are refused before the run", () => {
    expect(() => parseConfig({ sample_prompts: "a --w x" })).toThrow(ConfigError);
    expect(() => parseConfig({ sample_prompts: "a --w x" })).toThrow(/Line 1 .*--w is "x"/);
  });

  it("of the GUI are the text itself, with its own sampler where the file has none", () => {
    const { config } = loadKohyaConfig(JSON.stringify({ LoRA_type: "Standard", sample_prompts: "a --d 1\nb", sample_every_n_steps: 0, sample_every_n_epochs: 3 }));
    expect(config).toMatchObject({ sample_prompts: "a --d 1\nb", sample_every_n_steps: null, sample_every_n_epochs: 3, sample_sampler: "euler_a" });
  });
});
