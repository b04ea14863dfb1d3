import { describe, expect, it } from "vitest";
import { PARAMETER_KEYS } from "../../src/config/parameters.ts";
import { findSettings } from "../../src/ui/state/find-settings.ts";

const find = (query: string) => findSettings(query, PARAMETER_KEYS);

describe("the search for settings", () => {
  it.each([
    ["network_dim", "network_dim"], ["--network-dim", "network_dim"], ["Network Dim", "network_dim"], ["rank", "network_dim"], ["秩", "network_dim"],
    ["学习率", "unet_lr"], ["min snr", "min_snr_gamma"], ["LoCon", "conv_dim"], ["Prodigy", "optimizer_type"], ["cosine", "lr_scheduler"],
    // kohya_ss' own names.
    ["max_resolution", "resolution"], ["lr_warmup", "lr_warmup_steps"],
  ] as const)("finds by %s, among others, %s", (query, key) => {
    expect(find(query)).toContain(key);
  });

  it("wants every word, and finds everything where none is given", () => {
    expect(find("text encoder rate")).toContain("text_encoder_lr");
    expect(find("text encoder rate")).not.toContain("unet_lr");
    expect(find(" ")).toEqual(PARAMETER_KEYS);
  });

  it("looks into the explanations where nothing else fits", () => {
    expect(find("Textual Inversion with more room")).toContain("network_train_text_encoder_only");
    expect(find("zzz qqq")).toEqual([]);
  });
});
