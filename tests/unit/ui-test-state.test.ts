import { describe, expect, it } from "vitest";
import { pictureFileName } from "../../src/ui/state/picture-file.ts";
import { promptLoras, withoutLoras } from "../../src/ui/state/prompt-loras.ts";
import { PictureCache } from "../../src/ui/state/test-cache.ts";
import { fitNumber, mergeRequest, sizePresets, suggestedRequest } from "../../src/ui/state/test-request.ts";
import { countTokens } from "../../src/ui/state/token-count.ts";

describe("fitNumber", () => {
  it("brings what was typed to the nearest value that can be drawn", () => {
    expect(fitNumber("width", "500")).toBe(504);
    expect(fitNumber("height", "99999")).toBe(2048);
    expect(fitNumber("steps", "0")).toBe(1);
    expect(fitNumber("steps", "12.4")).toBe(12);
  });

  it("keeps a CFG between the marks of its field", () => {
    expect(fitNumber("cfg", "4.3")).toBe(4.3);
  });

  it("refuses what is no number", () => {
    expect(fitNumber("steps", "")).toBeUndefined();
    expect(fitNumber("steps", "many")).toBeUndefined();
  });
});

describe("mergeRequest", () => {
  it("takes good values and leaves what was there for bad ones, one by one", () => {
    const before = { ...suggestedRequest, width: 640, sampler: "ddim" } as const;
    const after = mergeRequest(before, { steps: 33, width: 123, sampler: "no such sampler", seed: -1, prompt: "smith" });
    expect(after).toEqual({ ...before, steps: 33, prompt: "smith" });
  });
});

describe("sizePresets", () => {
  it("are drawable sizes around the side that a model was made for", () => {
    expect(sizePresets(512)).toEqual([
      { width: 512, height: 512 }, { width: 512, height: 768 }, { width: 768, height: 512 },
    ]);
    expect(sizePresets(128)[1]).toEqual({ width: 128, height: 192 });
  });
});

describe("PictureCache", () => {
  it("lets go of what was not looked at for longest", () => {
    const cache = new PictureCache<number>();
    for (let i = 0; i < 120; i++) cache.set(`picture ${i}`, i);
    expect(cache.get("picture 0")).toBe(0);
    cache.set("one more", 120);
    expect(cache.get("picture 0")).toBe(0);
    expect(cache.get("picture 1")).toBeUndefined();
    expect(cache.get("one more")).toBe(120);
  });
});

describe("pictureFileName", () => {
  it("says what was asked for, without tags and without what file systems refuse", () => {
    const request = { ...suggestedRequest, prompt: '<lora:smith:1> smith, "a/b": smile?', seed: 7 };
    expect(pictureFileName({ request })).toBe("smith a b smile-7.png");
    expect(pictureFileName({ request: { ...request, prompt: "微笑, 蓝色背景" } })).toBe("微笑 蓝色背景-7.png");
    expect(pictureFileName({ request: { ...request, prompt: "" } })).toBe("picture-7.png");
  });
});

describe("countTokens", () => {
  const options = { isV2: false, steps: 20, embeddings: [] };

  it("counts as the text encoder does, without tags of LoRAs", async () => {
    expect(await countTokens("a photo of a cat <lora:smith:0.8>", options)).toEqual({ count: 5, limit: 75 });
    expect(await countTokens("", options)).toEqual({ count: 0, limit: 75 });
  });

  it("counts the vectors of an embedding, not the tokens of its name", async () => {
    const embeddings = [{ name: "easynegative", vectors: 8 }];
    expect(await countTokens("easynegative", { ...options, embeddings })).toEqual({ count: 8, limit: 75 });
  });

  it("shows room for another chunk where a prompt is longer than one", async () => {
    expect(await countTokens("cat ".repeat(80), options)).toEqual({ count: 80, limit: 150 });
  });

  it("gives the reason where a prompt cannot be read", async () => {
    expect(await countTokens("<lora:smith:strong>", options)).toMatchObject({ code: "prompt.lora-weight" });
  });
});

describe("promptLoras", () => {
  it("gives the tags that can be read and leaves the rest to the prompt's own error", () => {
    expect(promptLoras("<lora:smith:0.8> forge <lora:ink:0.5:1> <lora:bad:strong>")).toEqual([
      { name: "smith", textEncoder: 0.8, unet: 0.8 }, { name: "ink", textEncoder: 0.5, unet: 1 },
    ]);
    expect(withoutLoras("smith, smile <lora:smith:1>")).toBe("smith, smile");
  });
});
