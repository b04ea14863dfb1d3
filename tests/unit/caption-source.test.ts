import { describe, expect, it } from "vitest";
import { defaultConfig } from "../../src/config/parameters.ts";
import { CaptionSource } from "../../src/training/caption-source.ts";
import { encodePrompt } from "../../src/text/tokenizer.ts";

const tags = "sls, 1girl, solo, smile, blue hair, hat, outdoors, tree, sky, cloud";
const source = (changed: object, seed = 1) =>
  new CaptionSource([{ caption: tags }, { caption: "two" }], { ...defaultConfig(), ...changed }, { seed, totalUpdates: 100, variant: "sd1", vocabulary: 49408 });
const at = (microBatch: number, place = 0, step = microBatch) => ({ microBatch, place, epoch: 1, step });
const sorted = (caption: string) => caption.split(", ").sort();

describe("CaptionSource", () => {
  it("encodes captions once where nothing changes them", () => {
    const steady = source({ caption_prefix: "best quality," });
    expect(steady.varies).toBe(false);
    expect(steady.steadyTokens(0)).toEqual({ ids: encodePrompt(`best quality, ${tags}`, { variant: "sd1" }), weights: undefined });
    expect(steady.tokens(0, at(7))).toBe(steady.steadyTokens(0));
  });

  it("shuffles at each showing, the same way in a run that begins there", () => {
    const running = source({ shuffle_caption: true, keep_tokens: 1 });
    expect(running.varies).toBe(true);
    const captions = Array.from({ length: 20 }, (_, i) => running.caption(0, at(i)));
    expect(new Set(captions).size).toBe(20);
    for (const caption of captions) {
      expect(caption.startsWith("sls, ")).toBe(true);
      expect(sorted(caption)).toEqual(sorted(tags));
    }
    const resumed = source({ shuffle_caption: true, keep_tokens: 1 });
    expect(resumed.caption(0, at(19))).toBe(captions[19]);
    expect(resumed.tokens(0, at(19)).ids).toEqual(encodePrompt(captions[19]!, { variant: "sd1" }));
    expect(source({ shuffle_caption: true, keep_tokens: 1 }, 2).caption(0, at(19))).not.toBe(captions[19]);
  });

  it("draws for each place of a micro-batch apart", () => {
    const running = source({ shuffle_caption: true });
    const captions = [running.caption(0, at(3, 0)), running.caption(0, at(3, 1)), running.caption(0, at(4, 0))];
    expect(new Set(captions).size).toBe(3);
  });

  it("gives long and weighted captions their chunks and weights", () => {
    const { ids, weights } = source({ max_token_length: 150, weighted_captions: true, caption_suffix: "(end:1.5)" }).steadyTokens(1);
    expect([ids.length, weights?.length]).toEqual([154, 152]);
    expect([...new Set(weights)]).toEqual([1, 1.5]);
  });

  it("drops captions at about the rate that is asked for", () => {
    const running = source({ caption_dropout_rate: 0.3 });
    const dropped = Array.from({ length: 2000 }, (_, i) => running.caption(0, at(i))).filter((caption) => caption === "");
    expect(dropped.length / 2000).toBeGreaterThan(0.26);
    expect(dropped.length / 2000).toBeLessThan(0.34);
  });

  it("lets tags in one after the other over a share of the run", () => {
    const running = source({ token_warmup_step: 0.5, token_warmup_min: 2 });
    const counts = [0, 10, 25, 49, 50, 99].map((step) => running.caption(0, at(step)).split(", ").length);
    expect(counts).toEqual([2, 3, 6, 9, 10, 10]);
  });
});
